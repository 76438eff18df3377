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
tell() { printf '%s' "undo: $*" | tr '\000-\037\177' '?'; echo; }
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
    tell "remove our lines from $1"
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
    tell "remove $2 from $1"
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

# setting_of HOST DEVICE FIELD: a field of the NIC's record.
setting_of() {
    run xe pif-list host-uuid="$1" device="$2" physical=true VLAN=-1 params="$3" --minimal
}

# in_map CLASS UUID KEY: a key of other-config.
in_map() {
    run xe "$1-param-get" uuid="$2" param-name=other-config param-key="$3" 2>/dev/null
}

# bond_of PIF: the uuid of the bond of XAPI's that a NIC is in.
bond_of() {
    bond=$(run xe pif-param-get uuid="$1" param-name=bond-slave-of 2>/dev/null)
    case $bond in *-*-*) echo "$bond" ;; esac
}

# bond_pif PIF: the uuid of that bond's own PIF.
bond_pif() {
    bond=$(bond_of "$1")
    if [ -n "$bond" ]; then run xe bond-param-get uuid="$bond" param-name=master; fi
}

# bond_away PIF
bond_away() {
    bond=$(bond_of "$1")
    if [ -n "$bond" ]; then try xe bond-destroy uuid="$bond"; fi
}

# network_away name-label=NAME: only those on which nothing lies.
network_away() {
    for network in $(run xe network-list "$1" params=uuid --minimal | tr , ' '); do
        pifs=$(run xe network-param-get uuid="$network" param-name=PIF-uuids)
        vifs=$(run xe network-param-get uuid="$network" param-name=VIF-uuids)
        if [ -z "$pifs$vifs" ]; then try xe network-destroy uuid="$network"; fi
    done
}

# forget_unmanaged HOST DEVICE
forget_unmanaged() {
    pif=$(run xe pif-list host-uuid="$1" device="$2" physical=true VLAN=-1 managed=false params=uuid --minimal 2>/dev/null)
    if [ -n "$pif" ]; then try xe pif-forget uuid="$pif"; fi
}
