#!/bin/sh
# The loop a sysadmin writes first: inotifywait, curl and mv, with nothing promised.
# Usage: curl.sh DROP_DIR DONE_DIR BASE_URL API_CODE (Debian: inotify-tools, curl)
drop=$1 done=$2 base_url=$3 api_code=$4

inotifywait -q -m -e close_write -e moved_to --format %f "$drop" | while IFS= read -r name; do
    curl -sf -o /dev/null -H "ApiCode: $api_code" -H 'Accept: application/json' \
        -F "File=@$drop/$name" "$base_url/order/${name%.*}/invoice" &&
        mv -- "$drop/$name" "$done/"
done
