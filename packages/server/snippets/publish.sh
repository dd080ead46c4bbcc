#!/bin/sh
# Usage: TIDINGS_URL=http://127.0.0.1:3333 TIDINGS_TOKEN=… publish.sh TOPIC TEXT
set -eu

curl --silent --show-error --fail-with-body --retry 3 "$TIDINGS_URL/v1/publish" \
  --header "Authorization: Bearer $TIDINGS_TOKEN" \
  --header "Idempotency-Key: $(cat /proc/sys/kernel/random/uuid 2>/dev/null || uuidgen)" \
  --data-urlencode "topics=$1" \
  --data-urlencode "data=$2"
