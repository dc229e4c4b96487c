#!/bin/sh
# The sysadmin's loop made faster: the same, 8 in parallel by xargs, with nothing promised.
# Usage: curl8.sh DROP_DIR DONE_DIR BASE_URL API_CODE (Debian: inotify-tools, curl)
drop=$1 done=$2 base_url=$3 api_code=$4
export drop done base_url api_code

# shellcheck disable=SC2016 - the inner shell expands it
inotifywait -q -m -e close_write -e moved_to --format %f "$drop" | xargs -d '\n' -n 1 -P 8 sh -c '
    curl -sf -o /dev/null -H "ApiCode: $api_code" -H "Accept: application/json" \
        -F "File=@$drop/$0" "$base_url/order/${0%.*}/invoice" &&
        mv -- "$drop/$0" "$done/"
'
