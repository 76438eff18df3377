#: vlan-el7 el7 bridge 45 | two tagged networks with routes: traffic, jumbo frames, failover, reboot, rollback
#: vlan-el5 el5 bridge ~45 | a tag beside the bond's own network, with routes: the same
#: tuned el7 bridge 30 | NICs that ethtool tunes: read back, reboot, rollback

hardware() { # what is on tags has an address there alone, and all of it takes jumbo frames
    local tag
    for tag in 51 52; do
        ip -n net link add link sw name sw.$tag type vlan id $tag
        ip -n net link set sw.$tag up
    done
    for one in p2 p3 sw sw.51 sw.52; do ip -n net link set $one mtu 9000; done
    ip -n net addr add 172.16.52.2/24 dev sw.52
    ip -n net addr add 10.99.0.1/16 dev lo
    ip -n net addr add 10.98.0.1/16 dev lo
    [[ $CASE == vlan-el7 ]] || return
    for one in 2 3; do
        ip -n net addr del 172.16.51.$one/24 dev sw
        ip -n net addr add 172.16.51.$one/24 dev sw.51
    done
}
spec() {
    echo "[bond]
name = bond51
nics = eth2, eth3
mtu = 9000
${1:-}
address = 172.16.51.11/24
routes = 10.99.0.0/16 via 172.16.51.2
probes = 172.16.51.2, 10.99.0.1
[vlan 52]
mtu = 9000
xen01 = 172.16.52.11/24
routes = 10.98.0.0/16 via 172.16.52.2
probes = 10.98.0.1" > /lab/spec.ini
}
whole() { # LARGEST: a frame of this size goes there and back in one piece
    ping -q -n -c 3 -i 0.05 -W 1 -M do -s $(($2 - 28)) "$1" > /dev/null || bad "no packet of $2 bytes reaches $1"
}
networks_stand() {
    is "slaves" "$(slaves)" "eth2 eth3"
    case $CASE in
    vlan-el7)
        is "address of bond51" "$(addresses bond51)" ""
        is "address of bond51.51" "$(addresses bond51.51)" 172.16.51.11/24
        own=bond51.51
        ;;
    *)
        is "address of bond51" "$(addresses bond51)" 172.16.51.11/24
        own=bond51
        ;;
    esac
    is "address of bond51.52" "$(addresses bond51.52)" 172.16.52.11/24
    is "tag of bond51.52" "$(awk '$1 == "bond51.52" {print $3, $5}' /proc/net/vlan/config)" "52 bond51"
    is "MTU" "$(mtu bond51) $(mtu $own) $(mtu bond51.52) $(mtu eth2)" "9000 9000 9000 9000"
    is "routes" "$(ip route show 10.99.0.0/16 | xargs), $(ip route show 10.98.0.0/16 | xargs)" \
        "10.99.0.0/16 via 172.16.51.2 dev $own, 10.98.0.0/16 via 172.16.52.2 dev bond51.52"
    is "default route" "$(ip route show default | awk '{print $5}')" xenbr0
    for one in $STORAGE 172.16.52.2 10.99.0.1 10.98.0.1; do
        flows $one
        whole $one 9000
    done
}
boot_1() {
    snapshot before
    if [[ $CASE == tuned ]]; then
        is "gro before" "$(ethtool -k eth2 | awk '/^generic-receive-offload/ {print $2}')" "$(ethtool -k eth3 | awk '/^generic-receive-offload/ {print $2}')"
        ethtool -k eth2 > /lab/tuned-eth2
        ethtool -k eth3 > /lab/tuned-eth3
        xen 0 apply "${SPEC[@]}" --ethtool 'tso off' --ethtool 'eth2 tx off' --linkdelay 1 --yes
        tuned
        return
    fi
    if [[ $CASE == vlan-el7 ]]; then spec "vlan = 51"; else spec; fi
    xen 0 apply --spec /lab/spec.ini --accept subnet-routable --yes
    networks_stand
    xen 0 verify
    cut eth2
    until_true 5 reaches || bad "no failover"
    flows 172.16.52.2
    flows 10.99.0.1
    mend eth2
    until_true 5 xenbond verify
    rm /lab/calls
    lossless xen 0 apply --spec /lab/spec.ini --accept subnet-routable --yes
    is "programs run by the second apply" "$(cat /lab/calls 2>/dev/null)" ""
}
tuned() {
    bond_stands
    is "tso of eth2, eth3" "$(ethtool -k eth2 | awk '/^tcp-segmentation-offload/ {print $2}') $(ethtool -k eth3 | awk '/^tcp-segmentation-offload/ {print $2}')" "off off"
    is "tx of eth2" "$(ethtool -k eth2 | awk '/^tx-checksumming/ {print $2}')" off
    flows
    xen 0 verify
}
boot_2() {
    until_true 5 reaches
    if [[ $CASE == tuned ]]; then
        tuned
        ethtool -K eth3 tso on
        xen 5 verify
        has "verify" "$out" "eth3 tso"
        xen 0 apply "${SPEC[@]}" --ethtool 'tso off' --ethtool 'eth2 tx off' --linkdelay 1 --yes
        tuned
    else
        networks_stand
        xen 0 verify
    fi
    xen 0 rollback --yes
    [[ $CASE == tuned ]] && xen 0 rollback --yes
    same_as before
    gone $NET/bond51.51
    gone $NET/bond51.52
    [[ $CASE == tuned ]] && for nic in eth2 eth3; do
        is "offloads of $nic that differ" "$(ethtool -k $nic | diff /lab/tuned-$nic - | grep '^[<>]' | xargs)" ""
    done
}
