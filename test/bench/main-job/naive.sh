#!/bin/bash
# The main job as one would first write it: static supplicant configurations, one wpa_supplicant after the other, udhcpc,
# and scepclient making the key when it needs one. What it waits for, it waits for without polling.
source "$(dirname "$0")/common.sh"

start "$FOLDER/peap.conf"
until_log CTRL-EVENT-CONNECTED
stage join
lease
stage lease
enroll
stage enroll
stop
start "$FOLDER/tls.conf"
until_log CTRL-EVENT-CONNECTED
stage joinTested
lease
stage leaseTested
finish
