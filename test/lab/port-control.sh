#!/bin/bash
# The part of a switch that hostapd's wired driver leaves out: port-control.sh FOLDER METHODS CONFIGURATION...
# runs hostapd and, while its log goes by, opens a bridge port into the segment of whoever authenticated and locks it again.
# METHODS says where an EAP method belongs: "TLS=tested PEAP=enroll". A process of its own with a resident `ip -batch`, so that a
# port is open a few milliseconds after EAP success, whatever the tests are busy with. Its own words begin with "port ".
# While FOLDER/locked-for-good exists no port is opened; with FOLDER/quiet nobody is answered for 5 s after a failed login.
set -u
folder=$1 methods=" $2 "
shift 2
declare -A method identity left
coproc IP { exec ip -force -batch -; }

# change PORT LINE...: has ip do the lines, and waits for the answer to a query after them.
change() {
  local port=$1 answer
  shift
  printf 'link set dev %s\n' "$@" >&"${IP[1]}"
  echo "link show dev $port" >&"${IP[1]}"
  while IFS= read -r answer <&"${IP[0]}"; do
    case $answer in *link/ether*) return ;; esac
  done
}

# A locked port passes frames from an address it knows: it forgets them all.
lock() {
  local slave="$1 type bridge_slave"
  change "$1" "$slave learning off locked on flood off mcast_flood off bcast_flood off" "$slave fdb_flush"
  echo "port $1 locked"
}

# Entering another bridge resets the flags to open ones: a port only ever moves for somebody who may enter.
unlock() {
  local port=$1 kind=${method[$1]:-} segment from=${EPOCHREALTIME/./}
  segment=${methods#* "$kind"=}
  segment=${segment%% *}
  change "$port" "$port master br-$segment" \
    "$port type bridge_slave learning on locked off flood on mcast_flood on bcast_flood on"
  echo "port $port open $segment $kind $((${EPOCHREALTIME/./} - from)) ${identity[$port]:-}"
}

# hostapd treats a wired client like a Wi-Fi station that left, and ignores it for 5 s, unless all stations are removed.
# new_sta has it send EAP-Request/Identity, so that an EAPOL-Start that came a moment too early is not lost.
afresh() {
  printf '%s\n' 'deauthenticate ff:ff:ff:ff:ff:ff' "new_sta $2" quit | hostapd_cli -p "$folder/hostapd" -i "$1" > /dev/null
}

while IFS= read -r line; do
  port=${line%%: *}
  case $line in
    *': EAP-Request-'*' ('*) kind=${line##*: EAP-Request-} method[$port]=${kind%% *} ;;
    *"IEEE 802.1X: STA identity '"*) name=${line##*STA identity \'} identity[$port]=${name%\'} ;;
    *"User-Name from Access-Accept '"*) name=${line##*Access-Accept \'} identity[$port]=${name%\'} ;;
    *'IEEE 802.1X: received EAPOL-Logoff from STA') left[$port]=1 ;;
    *'IEEE 802.1X: unauthorizing port' | *': AP-ENABLED'*) lock "$port" ;;
    *'IEEE 802.1X: authorizing port') [ -e "$folder/locked-for-good" ] || unlock "$port" ;;
    *'MLME: MLME-DEAUTHENTICATE.indication('*)
      station=${line##*indication(}
      if [ -n "${left[$port]:-}" ] || [ ! -e "$folder/quiet" ]; then afresh "$port" "${station%%,*}" & fi
      left[$port]=
      ;;
  esac
  printf '%s\n' "$line"
done < <(exec setpriv --pdeathsig KILL hostapd "$@" 2>&1)
