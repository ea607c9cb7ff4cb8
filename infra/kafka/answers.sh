#!/usr/bin/env bash
# Does the broker on this machine answer a metadata request, and name a live broker? An open port alone does not mean that topics
# can be created, and starting a JVM for each check costs more than the broker. Usage: answers.sh PORT
set -euo pipefail
exec 3<>"/dev/tcp/127.0.0.1/${1:?port}"
# length 14, then: Metadata (3) version 1, correlation id 7, no client id, an empty list of topics
printf '\x00\x00\x00\x0e\x00\x03\x00\x01\x00\x00\x00\x07\xff\xff\x00\x00\x00\x00' >&3
# of the answer: length (4 bytes), correlation id (4), number of brokers (4)
brokers=$(head -c 12 <&3 | od -An -tu1 | tr -s ' ' | cut -d ' ' -f 13)
[ "${brokers:-0}" -gt 0 ]
