# Runs in the virtual machine of test/wifi, over the host's file system: brings up the rest of a small Linux with
# simulated radios, then runs the job's command and reports how it ended. $JOB/settings.sh says what to run.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
JOB=/run/job
. "$JOB/settings.sh"
mount -t proc proc /proc
# The kernel in here is another one than the host's.
mkdir -p /lib/modules
mount --bind "$MODULES" /lib/modules
mkdir -p /dev/pts /dev/shm /run/lock /run/tmp
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t debugfs debug /sys/kernel/debug
ln -sfn /proc/self/fd /dev/fd
ln -sfn /run /var/run 2>/dev/null
export PATH HOME=/root LANG=C.UTF-8 TMPDIR=/run/tmp SONDE_LAB_SLOWNESS=6
hostname wifi
ip link set lo up
# regtest=5 allows few channels, so that a full scan takes 2.5 s instead of ten.
modprobe mac80211_hwsim radios="$RADIOS" regtest=5
for port in /sys/class/virtio-ports/*; do
  [ "$(cat "$port/name")" = out ] && OUT=/dev/${port##*/}
done
# An access point that has to read its cryptography while a station waits is asked again, and confused by that.
cat /usr/lib/x86_64-linux-gnu/libcrypto.so.3 "$(command -v hostapd)" "$(command -v wpa_supplicant)" >/dev/null
cut -d' ' -f1 /proc/uptime >"$JOB/booted"
cd "$FOLDER"
# The port can be opened only once: it is the command's standard output and nobody else's.
"${COMMAND[@]}" </dev/null >"$OUT" 2>"$JOB/stderr"
echo $? >"$JOB/status"
sync
exec "$BUSYBOX" poweroff -f
