#!/usr/bin/env bash
# Proves the set-up on a bare Debian 12: makes one with debootstrap in a folder, gives it namespaces and a network
# of its own, clones the project's last commit into it and runs make targets there, each with its seconds, the
# bytes received and the disk used. Nothing of this machine's own engine is touched.
#
#   tests/bare/run.sh [--tar FILE] [--folder DIR] [--keep] [TARGET ...]
#
#   --tar FILE    start from this archive of a bare Debian; it is made, if it is not there
#   --folder DIR  put the machine there (default: a fresh folder under /var/tmp)
#   --keep        do not delete the machine; --folder with the same folder goes on with it
#   TARGET        make targets (default: setup engine bases measure test); the variable TESTS is passed on
#
# Needs: root, Debian or Ubuntu with debootstrap, iproute2 and iptables. The mirror is this machine's own. It runs
# in namespaces whose first process is its shell: when that ends, however it ends, the kernel ends what it started
# and unmounts what it mounted.
set -euo pipefail

release=bookworm
archive='' folder='' keep=no
targets=()
while [ $# -gt 0 ]; do
    case $1 in
        --tar) archive=$2; shift 2 ;;
        --folder) folder=$2; shift 2 ;;
        --keep) keep=yes; shift ;;
        -h | --help) sed -n '2,15p' "$0" | cut -c3-; exit 0 ;;
        -*) echo "run.sh: unknown option $1" >&2; exit 2 ;;
        *) targets+=("$1"); shift ;;
    esac
done
[ ${#targets[@]} -gt 0 ] || targets=(setup engine bases measure test)
[ "$(id -u)" -eq 0 ] || { echo "run.sh: needs root" >&2; exit 2; }
for tool in debootstrap ip iptables unshare git; do
    command -v "$tool" >/dev/null || { echo "run.sh: needs $tool (apt-get install debootstrap iproute2 iptables util-linux git)" >&2; exit 2; }
done

project=$(cd "$(dirname "$0")/../.." && pwd)
[ -n "$folder" ] || folder=$(mktemp -d /var/tmp/dmh-bare-XXXXXX)
root=$folder/root
number=$(( ($$ % 200) + 20 ))
subnet=10.213.$number
link=dmhb$$
machine=''
forwarding=$(cat /proc/sys/net/ipv4/ip_forward)

nat=(-t nat POSTROUTING -s "$subnet.0/24" -m comment --comment "$link" -j MASQUERADE)
out=(FORWARD -i "$link" -m comment --comment "$link" -j ACCEPT)
back=(FORWARD -o "$link" -m comment --comment "$link" -j ACCEPT)

finish() {
    code=$?
    trap - EXIT
    if [ -n "$machine" ]; then
        kill "$machine" 2>/dev/null || true
        wait "$machine" 2>/dev/null || true
    fi
    ip link delete "$link" 2>/dev/null || true
    iptables -t nat -D "${nat[@]:2}" 2>/dev/null || true
    iptables -D "${out[@]}" 2>/dev/null || true
    iptables -D "${back[@]}" 2>/dev/null || true
    echo "$forwarding" >/proc/sys/net/ipv4/ip_forward
    if grep -qF " $root" /proc/self/mountinfo; then
        echo "run.sh: something is still mounted under $root; it was not deleted" >&2
    elif [ "$keep" = no ]; then
        rm -rf --one-file-system "$folder"
    else
        echo "kept: $folder" >&2
    fi
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

make_machine() {
    mkdir -p "$root"
    if [ -n "$archive" ] && [ -f "$archive" ]; then
        tar -xf "$archive" -C "$root"
        return
    fi
    mirror=$(apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v release=$release '$2 == release && $3 == "main" { print $1; exit }')
    [ -n "$mirror" ] || { echo "run.sh: this machine has no package source for $release" >&2; exit 2; }
    debootstrap --variant=minbase --include=git,python3,make,ca-certificates "$release" "$root" "$mirror" >"$folder/debootstrap.log"
    rm -f "$root"/var/cache/apt/archives/*.deb
    [ -z "$archive" ] || tar -cf "$archive" -C "$root" .
}

# What a network that intercepts TLS asks of every machine in it, and no more.
copy_network_settings() {
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
    mkdir -p "$root/usr/local/share/ca-certificates"
    find /usr/local/share/ca-certificates -name '*.crt' -exec cp -L {} "$root/usr/local/share/ca-certificates/" \; 2>/dev/null || true
    apt-config dump | grep -E '^Acquire::(https?|Check-|Retries)' >"$root/etc/apt/apt.conf.d/90network" || true
}

clone_project() {
    if [ -d "$root/srv/course" ]; then
        git -C "$root/srv/course" fetch --quiet "$project" HEAD
        git -C "$root/srv/course" reset --quiet --hard FETCH_HEAD
    else
        git clone --quiet "$project" "$root/srv/course"
    fi
}

connect() {
    echo 1 >/proc/sys/net/ipv4/ip_forward
    ip link add "$link" type veth peer name eth0 netns "$1"
    ip address add "$subnet.1/24" dev "$link"
    ip link set "$link" mtu "$(ip -o link show "$(ip -o route show default | awk '{ print $5; exit }')" | grep -oE 'mtu [0-9]+' | cut -d' ' -f2)"
    ip link set "$link" up
    iptables -t nat -A "${nat[@]:2}"
    iptables -I "${out[@]}"
    iptables -I "${back[@]}"
    local mtu
    mtu=$(cat "/sys/class/net/$link/mtu")
    nsenter --target "$1" --net -- sh -c "ip link set lo up; ip link set eth0 mtu $mtu; ip address add $subnet.2/24 dev eth0; ip link set eth0 up; ip route add default via $subnet.1"
}

[ -d "$root/usr" ] || make_machine
copy_network_settings
clone_project
mkfifo "$folder/connected.$$"

kept=(HOME=/home/learner USER=root TERM=dumb LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
while IFS= read -r -d '' pair; do kept+=("$pair"); done < <(
    env -0 | grep -zE '^(PIP_(CERT|INDEX_URL|EXTRA_INDEX_URL|DEFAULT_TIMEOUT)|[A-Z_]*CA_BUNDLE|SSL_CERT_(FILE|DIR)|NODE_EXTRA_CA_CERTS|(https?|no)_proxy|(HTTPS?|NO)_PROXY|DMHELPERS_REQUIRE_ENGINE|CI|TESTS)=' || true
)

cat >"$folder/inside.sh" <<'INSIDE'
root=$1 gate=$2
shift 2
read -r _ <"$gate"
# A root of its own, not a mere chroot: the engine remounts `/`, so it has to be a mount point.
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mkdir -p "$root/home/learner" "$root/srv/old"
cd "$root"
pivot_root . srv/old
umount -l /srv/old
rmdir /srv/old
cd /srv/course

received() { cat /sys/class/net/eth0/statistics/rx_bytes; }
used() { du -sxm / | cut -f1; }

code=0
printf '%-10s %8s %12s %12s  %s\n' target seconds received disk result >/srv/table
for target; do
    before=$(received) before_used=$(used) begun=$(date +%s%N)
    echo "== make $target"
    result=ok
    # What a shell starts in the background ignores Ctrl-C: on a machine of its own it must not.
    env -i --default-signal=INT,QUIT "${kept[@]}" make --no-print-directory "$target" || { result=failed; code=1; }
    tenths=$((($(date +%s%N) - begun) / 100000000))
    printf '%-10s %8s %9s MB %9s MB  %s\n' "$target" "$((tenths / 10)).$((tenths % 10))" \
        "$((($(received) - before) / 1000000))" "$(($(used) - before_used))" "$result" >>/srv/table
    [ $code -eq 0 ] || break
done
cat /srv/table
exit $code
INSIDE
{ declare -p kept; cat "$folder/inside.sh"; } >"$folder/inside.tmp" && mv "$folder/inside.tmp" "$folder/inside.sh"

unshare --net --mount --pid --fork --kill-child --mount-proc bash "$folder/inside.sh" "$root" "$folder/connected.$$" "${targets[@]}" &
machine=$!
for _ in $(seq 600); do
    first=$(cat "/proc/$machine/task/$machine/children" 2>/dev/null | tr -d ' ') || first=''
    [ -z "$first" ] || break
    sleep 0.1
done
sleep 0.2
connect "$first"
echo go >"$folder/connected.$$"
code=0
wait "$machine" || code=$?
machine=''
exit "$code"
