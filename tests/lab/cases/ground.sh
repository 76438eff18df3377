#: ground el7 bridge 20 | what only a kernel shows beforehand: no link, speed, MTU limit, duplicate, route: refused, nothing touched

hardware() { # NICs that differ: eth4 takes no MTU above its own limit, eth5 has another speed
    load geneve macvlan tun
    for nic in eth4 eth5; do
        ip link set $nic name old$nic
        ip link set old$nic down
    done
    ip link add eth4 address 00:1b:21:0a:01:04 type geneve id 7 remote 10.20.0.1
    mkdir -p /dev/net && mknod /dev/net/tun c 10 200
    ip tuntap add dev slow mode tap
    ip link set slow up
    ip link add eth5 address 00:1b:21:0a:01:05 link slow type macvlan
}
plan() { # STATUS NICS ADDRESS ARGUMENT...
    local want=$1 nics=$2 address=$3; shift 3
    xen "$want" plan --bond bond51 --nic "$nics" --address "$address" "$@"
}
boot_1() {
    snapshot before
    plan 0 eth2,eth3 172.16.51.11/24 --mtu 9000
    plan 1 eth2,eth3 172.16.51.3/24
    has "a duplicate" "$out" "address-answers: 172.16.51.3 is in use: 00:50:56:00:51:02 answers for it, heard on xenbr"
    plan 1 eth2,eth4 172.16.51.11/24 --mtu 65500
    has "the limit" "$out" "mtu-too-large: MTU 65500 is asked for, and the driver of eth4 takes $(ip -d link show eth4 | sed -n 's/.*maxmtu \([0-9]*\).*/\1/p') at the most"
    cut eth3
    until_true 5 test "$(line $NET/eth3/carrier)" != 1
    plan 1 eth2,eth3 172.16.51.11/24
    has "no link" "$out" "nic-no-link: eth3 has no link"
    mend eth3
    is "speed of eth2 and eth5" "$(line $NET/eth2/speed) $(line $NET/eth5/speed)" "10000 10"
    plan 1 eth2,eth5 172.16.51.11/24
    has "the speeds" "$out" "speeds-differ: the links of bond51 differ: eth2 10000 Mb/s full, eth5 10 Mb/s"
    ip route add 172.16.51.0/24 via 10.20.0.1
    plan 1 eth2,eth3 172.16.51.11/24
    has "the route" "$out" "subnet-overlap: 172.16.51.0/24 overlaps the route to 172.16.51.0/24 of xenbr0"
    ip route del 172.16.51.0/24
    untouched
}
