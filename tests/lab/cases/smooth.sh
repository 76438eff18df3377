#: smooth el7 bridge 60 | what the driver takes while the bond is up, under traffic, there and back: nothing is lost
#: smooth-more el7 bridge ~60 | more of it, and what others did to files and slaves is mended
#: smooth-el5 el5 bridge ~60 | the same where SysV runs the network
#: smooth-lacp el7 bridge 60 lacp | the same with a partner that speaks LACP
#: adopted el7 bridge 60 | the recipe's bond is taken over under traffic and given back: nothing is lost
#: adopted-el5 el5 bridge ~60 | the same where SysV runs the network
#: rebuilt el7 bridge ~60 | what needs the bond anew: the gap, beside that of bare ifdown and ifup

scripts=/etc/sysconfig/network-scripts
hardware() { if [[ $ARG == lacp ]]; then lag eth2 eth3 & fi; }
pings() { # COMMAND...: 200 packets a second while it runs, and 500 at least; then $lost, $gap
    ping -D -n -i 0.005 "$STORAGE" > /run/pings 2>&1 &
    local pinger=$! last
    sleep 0.2
    "$@"
    until last=$(sed -n '$s/.*icmp_seq=\([0-9]*\).*/\1/p' /run/pings); ((last >= 500)); do sleep 0.1; done
    kill -INT $pinger; wait $pinger
    # What could not even be sent is lost too; the one that is on its way at the end is not.
    read -r lost gap < <(awk '
        /icmp_seq=.* time=/ {
            at = substr($1, 2) + 0; sub(/.*icmp_seq=/, ""); seq = $1 + 0
            lost += seq - was - 1; was = seq
            if (came && at - came > gap) gap = at - came
            came = at; next
        }
        /nreachable|sendmsg/ {lost++}
        END {printf "%d %d\n", lost, gap * 1000}' /run/pings)
}
smooth() { # ARGUMENT...: to this and back, without a packet lost
    xen 0 plan "${SPEC[@]}" "$@"
    has "plan for $*" "$out" "no interruption"
    pings xen 0 apply "${SPEC[@]}" "$@" --yes
    ((lost <= ${most:-0})) || bad "$lost packets lost on the way to $*"
    note "packets lost on the way to $*: $lost"
    xen 0 verify
    pings xen 0 rollback --yes
    is "packets lost on the way back from $*" "$lost" 0
    xen 0 verify
}
options() {
    smooth --miimon 200
    smooth --updelay 400 --downdelay 200
    smooth --primary eth3
    smooth --primary eth2 --primary-reselect failure
    smooth --num-grat-arp 3 --peer-notif-delay 100
}
more() {
    smooth --use-carrier 0
    smooth --resend-igmp 3 --all-slaves-active 1
    # Another monitor counts the links anew, and this one asks first who validates them.
    most=100 smooth --arp-interval 200 --arp-ip-target "$STORAGE" --arp-validate all
    smooth --mtu 9000
    smooth --nic eth4
}
repairs() { # what others did to files and slaves
    pings eval "echo DEVICE=eth3 > $scripts/ifcfg-eth3; rm -f $scripts/ifcfg-bond51; xen 0 apply bond51 --yes"
    is "packets lost while files are mended" "$lost" 0
    echo -eth3 > $NET/bond51/bonding/slaves
    pings xen 0 apply bond51 --yes
    is "packets lost while a slave comes back" "$lost" 0
    is slaves "$(slaves)" "eth2 eth3"
    xen 0 verify
}
lacp() {
    partner_ready
    smooth --mode 802.3ad --min-links 1
    smooth --mode 802.3ad --xmit-hash-policy layer3+4
}
recipe() { # as it is written: another file name, an alias the wrong way round
    local nic modprobe=/etc/modprobe.d/nas.conf
    [[ $(< /lab/flavour) == el5 ]] && modprobe=/etc/modprobe.conf
    for nic in eth2 eth3; do
        xe pif-unplug uuid="$(uuid_of $nic)"
        xe pif-forget uuid="$(uuid_of $nic)"
        printf 'DEVICE=%s\nONBOOT=yes\nBOOTPROTO=none\nMASTER=bond51\nSLAVE=yes\n' $nic > $scripts/ifcfg-$nic
    done
    printf 'DEVICE=bond51\nONBOOT=yes\nBOOTPROTO=none\nIPADDR=172.16.51.11\nNETMASK=255.255.255.0\nBONDING_OPTS="mode=1 miimon=100"\n' > $scripts/ifcfg-bond0
    printf 'alias bond51 bonding\noptions bond51 miimon=100 mode=1\n' >> $modprobe
    ifup bond0
}
uuid_of() { xe pif-list host-name-label="$(< /etc/hostname)" device="$1" params=uuid --minimal; }
adopted() {
    recipe
    flows
    cp -a /etc /lab/etc
    pings xen 0 adopt bond51 --yes
    is "packets lost while it is adopted" "$lost" 0
    # The driver was loaded without max_bonds=0, and made a bond0 besides.
    is "mode and slaves" "$(word mode) $(slaves)" "active-backup eth2 eth3"
    xen 0 verify
    gone $scripts/ifcfg-bond0
    pings xen 0 rollback bond51 --yes
    is "packets lost while it is given back" "$lost" 0
    is "what differs below /etc" "$(diff -r /lab/etc /etc 2>/dev/null)" ""
}
anew() { ifdown bond51; ip link delete dev bond51 2>/dev/null; ifup bond51; }
rebuilt() {
    local bare
    pings anew
    bare=$gap
    flows
    xen 0 plan "${SPEC[@]}" --fail-over-mac active
    has "plan of a rebuild" "$out" "interrupted for about"
    pings xen 0 apply "${SPEC[@]}" --fail-over-mac active --yes
    note "a rebuild: $gap ms without an answer; bare ifdown and ifup: $bare ms"
    ((gap <= 2 * bare + 2000)) || bad "a rebuild takes $gap ms, and bare ifdown and ifup $bare ms"
    xen 0 verify
}
boot_1() {
    case $CASE in
    adopted*) adopted; return ;;
    smooth-lacp) xen 0 apply "${SPEC[@]}" --mode 802.3ad --yes; lacp; return ;;
    esac
    xen 0 apply "${SPEC[@]}" --yes
    flows
    case $CASE in
    rebuilt) rebuilt ;;
    smooth-more) more; repairs ;;
    smooth-el5) smooth --miimon 200; smooth --nic eth4; repairs ;;
    *) options ;;
    esac
}
