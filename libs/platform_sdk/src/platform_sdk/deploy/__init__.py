"""The deploy half: what the command line and CI import. Each stage turns a value into a value.

    platform.toml                   spec         typed values, or every error at once
    deploy/environments/*.toml      environment  the same for an environment
    spec + environment + image      render       plain AWS documents
    AWS                             aws          thin typed gateways; the only rooms that talk to AWS
    gateways                        observe      state: what is there, as plain values; reads only
    spec + environment + state      plan         what shall be, how that differs from what is, and what it costs
    plan                            report       text, Markdown, JSON
    files, git, Docker              build        what a change touches; an image named by its content
    plan                            apply        stacks, by change sets that are read before they are carried out
    spec + image                    release      preflight, migrate, worker, shift, the way back: events, outcome
    events                          progress     what a person or a pipeline sees of them
    evidence                        explanation  why a release failed, and what to do

`spec`, `environment`, `render`, `plan` and `report` are pure: no boto3, no subprocess, no clock. They read the files
that they are given. Whoever waits takes a `clock`; whoever asks AWS takes the gateways.
"""
