# What both peers share. Expects, and says so otherwise: FOLDER (empty, for this run), CA (of the RADIUS server), SCEP_URL,
# SCEP_HOST (its address), CHALLENGE, PEAP_USER, PEAP_PASSWORD, NAME (common name and EAP-TLS identity), SUBNET (of the tested network).
# Runs inside the sensor's namespace; one line of JSON with milliseconds per stage on standard output, 1 as exit code when a stage fails.
set -eu -o pipefail
: "${FOLDER:?}" "${CA:?}" "${SCEP_URL:?}" "${SCEP_HOST:?}" "${CHALLENGE:?}" "${PEAP_USER:?}" "${PEAP_PASSWORD:?}" "${NAME:?}" "${SUBNET:?}"

fail() { echo "$0: $1" >&2; exit 1; }
now() { echo $((${EPOCHREALTIME/./} / 1000)); }

common="key_mgmt=IEEE8021X
  eapol_flags=0
  ca_cert=\"$CA\""
cat > "$FOLDER/peap.conf" <<END
ctrl_interface=$FOLDER/wpa
ap_scan=0
network={
  $common
  eap=PEAP
  phase2="auth=MSCHAPV2"
  identity="$PEAP_USER"
  password="$PEAP_PASSWORD"
}
END
cat > "$FOLDER/tls.conf" <<END
ctrl_interface=$FOLDER/wpa
ap_scan=0
network={
  $common
  eap=TLS
  identity="$NAME"
  client_cert="$FOLDER/certificate.pem"
  private_key="$FOLDER/key.pem"
}
END
# No more than a lease needs: the address, and the way to the SCEP server, in one process.
cat > "$FOLDER/udhcpc.sh" <<END
#!/bin/sh
[ "\$1" = bound ] || exit 0
ip -batch - <<LINES
addr flush dev \$interface scope global
addr add \$ip/\$mask dev \$interface
route replace $SCEP_HOST/32 via \$router dev \$interface
LINES
END
chmod +x "$FOLDER/udhcpc.sh"

supplicant=
leave() {
  [ -z "$supplicant" ] || { kill "$supplicant" && wait "$supplicant"; } 2>/dev/null || true
  ip addr flush dev eth0 scope global
  ip route del "$SCEP_HOST/32" dev eth0 2>/dev/null || true
}
trap leave EXIT

# start CONFIGURATION: wpa_supplicant, its log on file descriptor 4.
start() {
  exec 4< <(exec wpa_supplicant -Dwired -ieth0 -c"$1")
  supplicant=$!
}
stop() {
  kill "$supplicant"
  wait "$supplicant" || true
  supplicant=
}
# until_log TEXT: reads the supplicant's log as it is written, up to TEXT.
until_log() {
  local line
  while IFS= read -r -t 15 line <&4; do
    case $line in *"$1"*) return ;; esac
  done
  fail "the supplicant never said: $1"
}
lease() { udhcpc -i eth0 -n -f -q -t 10 -T 1 -s "$FOLDER/udhcpc.sh" > "$FOLDER/udhcpc.log" 2>&1 || fail 'there is no lease'; }
enroll() {
  scepclient -server-url "$SCEP_URL" -challenge "$CHALLENGE" -cn "$NAME" -keySize 2048 \
    -private-key "$FOLDER/key.pem" -certificate "$FOLDER/certificate.pem" > "$FOLDER/scepclient.log" 2>&1 ||
    fail "scepclient: $(cat "$FOLDER/scepclient.log")"
}

started=$(now)
stages=
last=$started
stage() {
  local at
  at=$(now)
  stages="$stages\"$1\":$((at - last)),"
  last=$at
}
finish() {
  case $(ip -4 -o addr show dev eth0) in *" $SUBNET."*) ;; *) fail 'the lease is not of the tested network' ;; esac
  echo "{\"started\":$started,\"total\":$((last - started)),\"stages\":{${stages%,}}}"
}
