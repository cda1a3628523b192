"""The deploy half, for the command line and CI. Each stage turns a value into a value.

    platform.toml                       manifest     typed values, or every error at once
    deploy/environments/*.toml          environment  the same for an environment
    manifest + environment + image      render       plain AWS documents
    AWS                                 aws          typed gateways; only they call AWS
    gateways                            observe      state: what exists, as plain values; reads only
    manifest + environment + state      plan         what will change, and what it costs
    plan                                output       text, Markdown, JSON
    files, git, Docker                  build        what a change touches; an image named by its content
    plan                                apply        stacks, by change sets that are read before they are executed
    manifest + image                    release      preflight, migration, worker, traffic shift, rollback; events
    events                              output       the lines or the live view of a release
    evidence                            diagnosis    why a release failed, and what to do

`manifest`, `environment`, `render`, `plan` and `output` are pure: no boto3, no subprocess, no clock. They only read the
files that they get. Code that waits takes a `clock`; code that calls AWS takes the gateways.
"""
