"""The deploy half: what the command line and CI import. Each stage turns a value into a value.

    platform.toml                   spec         typed values, or every fault at once
    deploy/environments/*.toml      environment  the same for an environment
    spec + environment + image      render       plain AWS documents
    documents                       aws          thin typed gateways; the only rooms that talk to AWS

`spec`, `environment` and `render` are pure: no boto3, no subprocess, no clock. They read the files they are given.
"""
