#: drift el5 bridge 60 | what someone does to a live bond behind xenbond's back: verify says 5 and names it

sees() { # CHECK: verify says that this is not as asked
    xen 5 --json verify
    [[ $(tr -d '\n' <<< "$out") =~ \"name\":\ *\"$1\",\ *\"ok\":\ *false ]] || bad "verify does not name $1: $out"
}
boot_1() {
    local b=$NET/bond51/bonding
    xen 0 apply "${SPEC[@]}" --mtu 4000 --num-grat-arp 2 --yes
    xen 0 verify
    must ip addr del 172.16.51.11/24 dev bond51
    sees "address"
    must ip addr add 172.16.51.11/16 dev bond51
    sees "address"
    must ip addr del 172.16.51.11/16 dev bond51
    must ip addr add 172.16.51.11/24 brd + dev bond51
    echo 0 > $b/miimon
    sees "miimon"
    echo 100 > $b/miimon
    echo 7 > $b/num_grat_arp
    sees "num_grat_arp"
    echo 2 > $b/num_grat_arp
    must ip link set bond51 mtu 1500
    sees "bond51 MTU"
    must ip link set bond51 mtu 4000
    must ip route add default via $STORAGE dev bond51 metric 9
    sees "default route"
    must ip route del default via $STORAGE dev bond51
    xen 0 verify
    echo -eth3 > $b/slaves
    sees "slaves"
    rm /etc/sysconfig/network-scripts/ifcfg-eth3
    sees "next boot"
    xen 0 apply "${SPEC[@]}" --mtu 4000 --num-grat-arp 2 --yes
    bond_stands
    is "MTU" "$(mtu bond51) $(mtu eth2) $(mtu eth3)" "4000 4000 4000"
    flows
    xen 0 verify
}
