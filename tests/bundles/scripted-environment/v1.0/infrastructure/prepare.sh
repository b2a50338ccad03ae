#!/bin/bash
# Prepares the zones of an environment and says what they are called. Any tool that is installed could be called here.
set -eu
name=$1 zones=$2 list=
for ((zone = 1; zone <= zones; zone++)); do
  echo "Preparing zone $zone of $zones for $name ($STAGE)"
  list="$list${list:+,}$name-$zone"
done
printf '[{"key": "Zones", "valueString": "%s"}, {"key": "Stage", "valueString": "%s"}]\n' "$list" "$STAGE" \
  > proton-outputs.json
