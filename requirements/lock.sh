#!/bin/sh
# lock.sh BIN: compile each requirements/*.in to a hashed lock for all platforms, without any download address.
set -eu
for input in requirements/*.in; do
	output=${input%.in}.txt
	echo "lock: $output" >&2
	"$1/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--no-emit-package platform-sdk --no-emit-package local-aws --no-emit-package aws-simulator \
		--no-emit-package orders --no-emit-package users --no-emit-package inventory \
		"$input" -o "$output"
done
