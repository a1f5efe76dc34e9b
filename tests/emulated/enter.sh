#!/bin/bash
# Runs a command on an emulated board, in namespaces of its own: what it mounts and starts ends with it, and nothing
# outside changes.
#   enter.sh ROOT BOARD_TREE MATERIAL WORK EMULATOR MAGIC COMMAND...
# ROOT is only read; MATERIAL is seen as /material, WORK as /work, where the command runs. EMULATOR is QEMU's program
# for programs that begin with MAGIC; the kernel (6.7 or newer) lets a user namespace register it for itself alone.
set -euo pipefail
if [ "${1:-}" != inside ]; then
  exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin QEMU_CPU="${QEMU_CPU:-}" \
    unshare --user --map-root-user --mount --pid --fork --kill-child bash "$0" inside "$@"
fi
shift
root=$1 tree=$2 material=$3 work=$4 emulator=$5 magic=$6
shift 6

mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
printf '%s' ":board:M::$magic:$mask:$emulator:F" > /proc/sys/fs/binfmt_misc/register

mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
for file in cpuinfo meminfo; do mount --bind "$tree/$file" "$root/proc/$file"; done
mount --rbind "$tree/sys" "$root/sys"
mount --bind "$material" "$root/material"
mount -o remount,bind,ro "$root/material"
mount --bind "$work" "$root/work"
for folder in tmp run dev; do mount -t tmpfs tmpfs "$root/$folder"; done
mkdir -m 1777 "$root/dev/shm"
for device in null zero full random urandom; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
exec chroot "$root" /usr/bin/env -i PATH=/opt/venv/bin:/usr/bin:/bin HOME=/tmp LANG=C.UTF-8 \
  PYTHONDONTWRITEBYTECODE=1 QEMU_CPU="$QEMU_CPU" /bin/sh -c 'cd /work && exec "$@"' - "$@"
