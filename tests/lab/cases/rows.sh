#: rows el7 bridge 150 | each row of verify goes bad, one at a time, and is the one that is named
#: rows-lacp el7 bridge 170 802.3ad | the same for the rows of LACP
#: rows-probes el7 bridge ~90 | the same for the probes; a hop with a small MTU is seen by the full-size one alone
#: probe-lost el7 bridge 120 | a server that stops answering, or never answered, rolls the change back

hardware() {
    case $CASE in
    rows-lacp) lag eth2 eth3 & ;;
    rows-probes)
        for n in p2 p3 sw; do ip -n net link set $n mtu 4000; done
        ip netns exec net perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalPort => 2049, Listen => 5, ReuseAddr => 1) or die; while ($c = $s->accept) { close $c }' & ;;
    esac
}
boot_1() {
    local b=$NET/bond51/bonding
    case $CASE in
    rows)
        xen 0 apply "${SPEC[@]}" --primary eth2 --mtu 1400 --updelay 200 --yes
        xen 0 verify
        echo 0 > $b/updelay; only updelay; echo 200 > $b/updelay
        echo eth3 > $b/primary; echo eth2 > $b/active_slave; only primary; echo eth2 > $b/primary
        echo eth3 > $b/active_slave; only "active slave"; echo eth2 > $b/active_slave
        must ip link set eth3 mtu 1500; only "eth3 MTU"; must ip link set eth3 mtu 1400
        must ip route add 169.254.0.0/16 dev bond51; only "link-local route"; must ip route del 169.254.0.0/16
        must ip route add default via $STORAGE dev bond51 metric 9; only "default route"; must ip route del default via $STORAGE
        must ip addr add 172.16.51.11/24 dev xenbr0; only address; must ip addr del 172.16.51.11/24 dev xenbr0
        must ip route replace 172.16.51.0/24 dev bond51 src 172.16.51.11
        cut eth3; only "eth3 link"
        has "the row" "$out" "check cable and switch port of eth3"; mend eth3
        until_true 5 eval '[[ $(cat $NET/eth3/bonding_slave/mii_status) == up ]]'
        # The cable out and nobody looking: the driver says up.
        echo 0 > $b/updelay; echo 0 > $b/miimon; cut eth3
        only "miimon, updelay, eth3 link"
        has "the row" "$out" "up in /proc, no carrier in /sys"
        mend eth3; echo 100 > $b/miimon; echo 200 > $b/updelay
        echo openvswitch > /etc/xensource/network.conf; only "backend at the next boot"; echo bridge > /etc/xensource/network.conf
        rm /etc/systemd/system/multi-user.target.wants/xenbond-bond51.service
        only "file /etc/systemd/system/xenbond-bond51.service, next boot"
        ln -s ../xenbond-bond51.service /etc/systemd/system/multi-user.target.wants/xenbond-bond51.service
        xe pif-forget uuid="$(xe pif-list host-name-label=xen01 device=eth2 physical=true --minimal)"
        xe pif-introduce host-uuid="$(xe host-list name-label=xen01 --minimal)" device=eth2 mac=00:1b:21:0a:01:02 > /dev/null
        only "eth2 in XAPI"
        xe pif-forget uuid="$(xe pif-list host-name-label=xen01 device=eth2 physical=true --minimal)"
        xe pif-introduce host-uuid="$(xe host-list name-label=xen01 --minimal)" device=eth2 mac=00:1b:21:0a:01:02 managed=false > /dev/null
        must ip link set eth2 up # xapi has unplugged what it had adopted
        until_true 5 eval '[[ $(cat $NET/eth2/bonding_slave/mii_status) == up ]]'
        xen 0 verify
        # Another card has taken the name.
        echo -eth3 > $b/slaves
        ip link set eth3 down; ip link set eth3 name eth9
        ip link set eth4 nomaster; ip link set eth4 down; ip link set eth4 name eth3
        echo +eth3 > $b/slaves
        until_true 5 eval '[[ $(cat $NET/eth3/bonding_slave/mii_status) == up ]]'
        only "eth3 permanent MAC"
        has "the row" "$out" "another NIC has taken this name"
        xen 5 status
        has "status" "$out" "bond51 is NOT as asked" ;;
    rows-lacp)
        xen 0 apply "${SPEC[@]}" --mode 802.3ad --lacp-rate fast --yes
        xen 0 verify
        # One port taken out of the group at the switch, its link left up.
        ip -n net link set p3 down; ip -n net link set p3 nomaster; port p3
        until_true 20 eval '[[ $(opt ad_num_ports) == 1 ]]' || bad "eth3 stays in the aggregator"
        until_true 100 grep -q churned /proc/net/bonding/bond51 || bad "eth3 does not churn"
        # One look: verify itself waits for LACP, which does not come right here.
        xen 1 verify --format nagios
        for row in "LACP aggregator" "LACP ports" "LACP churn"; do has "the line" "$out" "$row: expected"; done
        [[ $out == *"LACP partner"* ]] && bad "the partner is blamed too"
        true ;;
    rows-probes)
        xen 0 apply "${SPEC[@]}" --mtu 4000 --probe $STORAGE:2049 --accept subnet-routable --yes
        has "the probes" "$err" "ping $STORAGE with 4000 bytes: answers"
        xen 0 verify
        ip -n net link set p2 mtu 1500; ip -n net link set p3 mtu 1500
        only "ping $STORAGE with 4000 bytes"
        for n in p2 p3 sw; do ip -n net link set $n mtu 4000; done
        xen 0 verify
        ip netns exec net bash -c 'echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all'
        only "ping $STORAGE, ping $STORAGE with 4000 bytes"
        ip netns exec net bash -c 'echo 0 > /proc/sys/net/ipv4/icmp_echo_ignore_all'
        xen 5 --json verify "${SPEC[@]}" --mtu 4000 --probe $STORAGE:2050
        is "not as asked" "$(failing)" "connect $STORAGE:2050"
        has "the row" "$out" "Connection refused"
        ip -n net addr del 172.16.51.2/24 dev sw
        only "ARP $STORAGE, ping $STORAGE, ping $STORAGE with 4000 bytes, connect $STORAGE:2049" ;;
    probe-lost)
        snapshot before
        xen 3 apply "${SPEC[@]}" --probe 172.16.51.9 --yes
        has "the error" "$err" "ping 172.16.51.9: expected answers, found no answer"
        same_as before
        until_true 5 reaches || bad "the server does not answer before"
        (until [[ -e $NET/bond51 ]]; do sleep 0.1; done; ip -n net addr del 172.16.51.2/24 dev sw) &
        xen 3 apply "${SPEC[@]}" --probe $STORAGE --accept subnet-routable --yes
        has "the error" "$err" "ping $STORAGE: expected answers, found no answer (it answered before the change"
        has "the note" "$err" "ping $STORAGE: answered before the change, and does not after the rollback"
        same_as before ;;
    esac
}
