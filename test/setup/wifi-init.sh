#!/bin/busybox sh
# First process of the virtual machine of test/wifi: finds the host's file system, lays a throw-away one over it, and
# goes on with test/wifi/machine/start.sh there.
B=/bin/busybox
give_up() {
  echo "initramfs: $*"
  $B poweroff -f
}
$B mount -t proc proc /proc
$B mount -t sysfs sysfs /sys
$B mount -t devtmpfs dev /dev
while read -r module; do $B insmod "/modules/$module" || give_up "insmod $module"; done </modules/order
OPTIONS=trans=virtio,version=9p2000.L,msize=512000
$B mount -t 9p -o ro,$OPTIONS,cache=loose host /lower || give_up 'no host file system'
$B mount -t tmpfs -o mode=755 upper /upper
$B mkdir /upper/upper /upper/work
$B mount -t overlay -o lowerdir=/lower,upperdir=/upper/upper,workdir=/upper/work,index=off,xino=off,metacopy=off \
  root /whole || give_up 'no overlay'
# Whatever the host has there is not ours. (/tmp stays as it is: the checkout may lie in it.)
for folder in proc sys dev run; do $B mkdir -p /whole/$folder; done
$B mount -t tmpfs -o mode=755 tmpfs /whole/run
$B mkdir /whole/run/job
$B mount -t 9p -o rw,$OPTIONS,cache=none job /whole/run/job || give_up 'no job folder'
$B umount /proc
$B mount --move /sys /whole/sys
$B mount --move /dev /whole/dev
exec $B switch_root /whole /bin/bash /run/job/start.sh
