#!/bin/sh
# Undoes what xenbond did, without xenbond. Run it as root: sh undo.sh
# Running it twice is as good as once. It does not compare the host afterwards: look yourself.
set -u
R=${XENBOND_ROOT:-}
PATH="$R/opt/xensource/bin:$R/sbin:$R/usr/sbin:$R/bin:$R/usr/bin:/sbin:/usr/sbin:/bin:/usr/bin"
LC_ALL=C
export PATH LC_ALL
here=$(cd "$(dirname "$0")" && pwd) || exit 4
bad=0

# What others wrote is in some of these words: no control character of theirs is printed.
tell() { printf '%s' "undo: $*" | tr '\\000-\\037\\177' '?'; echo; }
run() { program=$(command -v "$1") && shift && "$program" "$@" </dev/null; }
try() { tell "$@"; run "$@" || { tell "FAILED: $*"; bad=1; }; }

# put_back PATH NAME: the file as it was, by a temporary file and a rename.
put_back() {
    if cmp -s "$here/originals/$2" "$R$1"; then touch -r "$here/originals/$2" "$R$1"; return; fi
    tell "put back $1"
    temp=$(dirname "$R$1")/.undo.xenbond
    { cp -p "$here/originals/$2" "$temp" && mv -f "$temp" "$R$1"; } || { tell "FAILED: $1"; bad=1; }
}

# take_away PATH: there was no such file.
take_away() {
    if [ -e "$R$1" ] || [ -L "$R$1" ]; then try rm -f "$R$1"; fi
}

# put_back_missing PATH NAME: only where the file is gone.
put_back_missing() {
    if [ ! -e "$R$1" ]; then put_back "$1" "$2"; fi
}

# take_block_out PATH BOND NAME: our lines out of a file that others write too.
take_block_out() {
    grep -q "^# xenbond $2: begin" "$R$1" 2>/dev/null || return
    tell "take our lines out of $1"
    temp=$(dirname "$R$1")/.undo.xenbond
    { cp -p "$R$1" "$temp" && sed "/^# xenbond $2: begin/,/^# xenbond $2: end/d" "$R$1" >"$temp" && mv -f "$temp" "$R$1"; } ||
        { tell "FAILED: $1"; bad=1; }
    if cmp -s "$here/originals/$3" "$R$1"; then touch -r "$here/originals/$3" "$R$1"; fi
}

# bond_down DEVICE: the bond, or a tag of it.
bond_down() {
    [ -e "$R/sys/class/net/$1" ] || return
    try ifdown "$1"
    if [ -e "$R/sys/class/net/$1" ]; then try ip link delete dev "$1"; fi
}

bond_up() {
    # One that was taken down in part is made anew.
    flags=$(cat "$R/sys/class/net/$1/flags" 2>/dev/null)
    if [ $((${flags:-1} & 1)) = 0 ]; then bond_down "$1"; fi
    if [ ! -e "$R/sys/class/net/$1" ]; then try ifup "$1"; fi
}

# another_bond BOND: whether a bond of xenbond's but this one is configured here.
another_bond() {
    for file in "$R/etc/sysconfig/network-scripts"/ifcfg-*; do
        [ "$file" != "$R/etc/sysconfig/network-scripts/ifcfg-$1" ] || continue
        grep -q '^# xenbond wrote this file' "$file" 2>/dev/null || continue
        if grep -q '^BONDING_OPTS=' "$file"; then return 0; fi
    done
    return 1
}

# maybe PROGRAM ARG...: one that fails as well where nothing differs.
maybe() {
    tell "$@"
    run "$@" >/dev/null 2>&1 || :
}

# set_option BOND NAME VALUE: an option of the driver's, refused as long as another one stands.
set_option() {
    file=$R/sys/class/net/$1/bonding/$2
    [ -e "$file" ] || return
    tell "set $2 of $1 to $3"
    echo "$3" 2>/dev/null >"$file" || :
}

# has_option BOND NAME VALUE: whether the driver has taken it.
has_option() {
    file=$R/sys/class/net/$1/bonding/$2
    [ -e "$file" ] || return
    read -r now rest <"$file"
    if [ "$now" != "$3" ]; then tell "FAILED: $2 of $1 is $now, and not $3"; bad=1; fi
}

is_slave() { grep -qw "$2" "$R/sys/class/net/$1/bonding/slaves" 2>/dev/null; }

# slave_in BOND NIC: one that is up is not taken by every driver.
slave_in() {
    if is_slave "$1" "$2" || [ ! -e "$R/sys/class/net/$2" ]; then return; fi
    tell "add $2 to $1"
    flags=$(cat "$R/sys/class/net/$2/flags")
    if [ $((flags & 1)) = 1 ]; then printf '0x%x\n' $((flags & ~1)) >"$R/sys/class/net/$2/flags"; fi
    echo "+$2" >"$R/sys/class/net/$1/bonding/slaves" || { tell "FAILED: $2"; bad=1; }
}

# slave_out BOND NIC
slave_out() {
    is_slave "$1" "$2" || return
    tell "take $2 out of $1"
    echo "-$2" >"$R/sys/class/net/$1/bonding/slaves" || { tell "FAILED: $2"; bad=1; }
}

# pif_of HOST DEVICE: the uuid of the NIC's record, if it has one.
pif_of() {
    run xe pif-list host-uuid="$1" device="$2" physical=true VLAN=-1 params=uuid --minimal
}

# take_from_xapi HOST DEVICE
take_from_xapi() {
    pif=$(run xe pif-list host-uuid="$1" device="$2" physical=true VLAN=-1 managed=true params=uuid --minimal 2>/dev/null)
    if [ -n "$pif" ]; then
        try xe pif-unplug uuid="$pif"
        try xe pif-forget uuid="$pif"
    fi
}

# forget_unmanaged HOST DEVICE
forget_unmanaged() {
    pif=$(run xe pif-list host-uuid="$1" device="$2" physical=true VLAN=-1 managed=false params=uuid --minimal 2>/dev/null)
    if [ -n "$pif" ]; then try xe pif-forget uuid="$pif"; fi
}

# This host's record only.
if [ -e "$R/etc/xensource-inventory" ] && ! grep -q 156a7ca7-f672-c98b-8db0-c12173e13940 "$R/etc/xensource-inventory"; then
    echo 'undo: this is the record of another host (156a7ca7-f672-c98b-8db0-c12173e13940): nothing is done' >&2
    exit 4
fi

if command -v xapi-wait-init-complete >/dev/null; then try xapi-wait-init-complete 600; fi

# 11. nothing to undo

# 10. take bond51 down and its device away
bond_down bond51

# 9. disable and remove xenbond-bond51.service
[ ! -e "$R/etc/systemd/system/xenbond-bond51.service" ] || try systemctl disable xenbond-bond51.service
take_away /etc/systemd/system/xenbond-bond51.service
try systemctl daemon-reload

# 8. remove /etc/sysconfig/network-scripts/ifcfg-bond51
take_away /etc/sysconfig/network-scripts/ifcfg-bond51

# 7. remove /etc/sysconfig/network-scripts/ifcfg-eth3
take_away /etc/sysconfig/network-scripts/ifcfg-eth3

# 6. remove /etc/sysconfig/network-scripts/ifcfg-eth2
take_away /etc/sysconfig/network-scripts/ifcfg-eth2

# 5. remove /etc/modprobe.d/bond51.conf
take_away /etc/modprobe.d/bond51.conf

# 4. make XAPI forget the unmanaged record of eth3
forget_unmanaged 156a7ca7-f672-c98b-8db0-c12173e13940 eth3

# 3. introduce eth3 to XAPI again with what it had, and plug it (its PIF gets a new uuid)
forget_unmanaged 156a7ca7-f672-c98b-8db0-c12173e13940 eth3
[ -n "$(pif_of 156a7ca7-f672-c98b-8db0-c12173e13940 eth3)" ] || try xe pif-introduce host-uuid=156a7ca7-f672-c98b-8db0-c12173e13940 device=eth3 mac=00:1b:21:0a:01:03
pif=$(pif_of 156a7ca7-f672-c98b-8db0-c12173e13940 eth3)
try xe pif-param-set uuid="$pif" properties:gro=on
try xe pif-plug uuid="$pif"

# 2. make XAPI forget the unmanaged record of eth2
forget_unmanaged 156a7ca7-f672-c98b-8db0-c12173e13940 eth2

# 1. introduce eth2 to XAPI again with what it had, and plug it (its PIF gets a new uuid)
forget_unmanaged 156a7ca7-f672-c98b-8db0-c12173e13940 eth2
[ -n "$(pif_of 156a7ca7-f672-c98b-8db0-c12173e13940 eth2)" ] || try xe pif-introduce host-uuid=156a7ca7-f672-c98b-8db0-c12173e13940 device=eth2 mac=00:1b:21:0a:01:02
pif=$(pif_of 156a7ca7-f672-c98b-8db0-c12173e13940 eth2)
try xe pif-param-set uuid="$pif" properties:gro=on
try xe pif-param-set uuid="$pif" other-config:ethtool-gro=off
try xe pif-plug uuid="$pif"

# XAPI's database on disk; networkd writes its own within 300 s.
run xe pool-sync-database >/dev/null 2>&1 &

# What goes on after a boot.
if [ -e "$R/etc/systemd/system/xenbond-resume.service" ]; then try systemctl disable xenbond-resume.service; take_away /etc/systemd/system/xenbond-resume.service; fi
if [ -e "$R/etc/rc.d/init.d/xenbond-resume" ]; then try chkconfig --del xenbond-resume; take_away /etc/rc.d/init.d/xenbond-resume; fi
rm -rf "$R/var/lib/xenbond/bin"

[ $bad = 0 ] && tell done
exit $((bad * 4))
