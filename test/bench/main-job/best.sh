#!/bin/bash
# The main job by hand as fast as we know how. The key is made meanwhile (or is ready, as $KEY); one supplicant and one
# wpa_cli stay for both networks. Three waits of wpa_supplicant are spared: `logon` at associated, the 2 s before the first
# EAPOL-Start; networks added after the start, 0.1 s before the first scan; `disconnect` before `select_network`, 0.1 s after leaving.
source "$(dirname "$0")/common.sh"

echo "ctrl_interface=$FOLDER/wpa
ap_scan=0" > "$FOLDER/resident.conf"
# join NUMBER EAP IDENTITY LINE...: adds a network and joins it.
join() {
  local number=$1 eap=$2 identity=$3 line
  shift 3
  {
    echo add_network
    for line in 'key_mgmt IEEE8021X' 'eapol_flags 0' "eap $eap" "identity \"$identity\"" "ca_cert \"$CA\"" "$@"; do
      echo "set_network $number $line"
    done
    echo disconnect
    echo "select_network $number"
  } >&5
  until_log 'Associated with'
  echo logon >&5
  until_log CTRL-EVENT-CONNECTED
}

if [ -n "${KEY:-}" ]; then
  cp "$KEY" "$FOLDER/key.pem"
  key=
else
  openssl genrsa -traditional -out "$FOLDER/key.pem" 2048 2> "$FOLDER/openssl.log" &
  key=$!
fi
start "$FOLDER/resident.conf"
# Nothing in the log says when the control socket is there, and wpa_cli would try again only after a second.
until [ -S "$FOLDER/wpa/eth0" ]; do sleep 0.002; done
exec 5> >(exec wpa_cli -p "$FOLDER/wpa" -i eth0 > "$FOLDER/wpa_cli.log")
stage start
join 0 PEAP "$PEAP_USER" "password \"$PEAP_PASSWORD\"" 'phase2 "auth=MSCHAPV2"'
stage join
lease
stage lease
[ -z "$key" ] || wait "$key"
stage keyWait
enroll
stage enroll
join 1 TLS "$NAME" "client_cert \"$FOLDER/certificate.pem\"" "private_key \"$FOLDER/key.pem\""
stage joinTested
lease
stage leaseTested
finish
