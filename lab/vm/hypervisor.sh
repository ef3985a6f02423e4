#!/bin/sh
# Becomes the lab's libvirtd: already in its own network and mount namespaces. Argument: its folder in .lab.
# Hides the machine's /run, /var and libvirt settings behind private ones, so neither side ever sees the other's.
set -eu
folder=$1

mount -t tmpfs -o mode=755,size=64m run /run
mount -t sysfs sysfs /sys
mkdir -p "$folder/var" "$folder/work"
mount -t overlay -o "lowerdir=/var,upperdir=$folder/var,workdir=$folder/work" overlay /var
mount --bind "$folder/etc" /etc/libvirt
mkdir -p /run/lock /run/libvirt

# Debian's libvirtd looks its users up before it reads that it shall not use them; here alone they exist.
for file in passwd group; do
    cp "/etc/$file" "$folder/$file"
done
getent passwd libvirt-qemu >/dev/null || echo "libvirt-qemu:x:64055:65534::/nonexistent:/usr/sbin/nologin" >>"$folder/passwd"
getent group libvirt-qemu >/dev/null || echo "libvirt-qemu:x:64055:" >>"$folder/group"
for file in passwd group; do
    mount --bind "$folder/$file" "/etc/$file"
done
exec /usr/sbin/libvirtd --config /etc/libvirt/libvirtd.conf
