#: managed-bridge el7 bridge 150 managed story | a bond that XAPI makes for storage, by the kernel's driver: apply, failover, reboot, rollback
#: managed-vswitch el7 openvswitch 160 managed story | the same by a real Open vSwitch
#: management-bridge el7 bridge ~120 managed management | the management moves into a bond of XAPI's, is confirmed, outlives a boot, and comes back
#: management-vswitch el7 openvswitch 130 managed management | the same by a real Open vSwitch
#: management-dead el7 openvswitch ~40 managed dead | the second NIC is not on the management's VLAN: refused, untouched
#: managed-lacp el7 openvswitch ~130 managed lacp | LACP by a real Open vSwitch, with a partner; a port leaves the group
#: managed-rows-bridge el7 bridge ~140 managed rows | each row of verify goes bad on the kernel's driver, and is the one that is named
#: managed-rows-vswitch el7 openvswitch ~150 managed rows | the same for a real Open vSwitch
#: managed-kills-bridge el7 bridge ~200 managed kills 2 5 | the guest is killed in apply, twice (--all: five times): booted, recovered, compared
#: managed-kills-vswitch el7 openvswitch ~260 managed kills 2 5 | the same by a real Open vSwitch
#: managed-cut el7 bridge ~150 managed cut | the power goes before XAPI and its network daemon have saved: the boot goes on, and the bond is whole

read -r _ WHAT KILLS MOST <<< "$ARG"
[[ -z $ALL ]] || KILLS=$MOST
XE=/opt/xensource/bin/xe
NAS=(--kind managed --network NAS --nic eth2,eth3 --mode active-backup --use storage --address 172.16.51.11/24)
MGT=(--kind managed --network MGT --nic eth0,eth3 --mode active-backup --use management)

on_bridge() { [[ $(< /run/backend) == bridge ]]; }
pif() { $XE pif-list host-name-label=xen01 device="${1:-bond0}" params=uuid --minimal; }
bridge_of() { $XE network-list name-label="$1" params=bridge --minimal; }
active() { # the slave that carries
    if on_bridge; then opt active_slave bond0; else ovs-appctl bond/show bond0 | sed -n 's/^active .*(\(.*\))$/\1/p'; fi
}
members() {
    if on_bridge; then slaves bond0; else ovs-appctl bond/show bond0 | sed -n 's/^\(slave\|member\) \(.*\): .*/\2/p' | sort | xargs; fi
}
quick_boots() { must $XE pif-param-set uuid="$(pif)" other-config:bond-updelay=200; } # not 31 s each
as_asked() { /usr/bin/xenbond verify -q > /dev/null 2>&1; }
fails_over() { # GATEWAY: the active link goes, the other one carries
    local was; was=$(active)
    cut "$was"
    until_true 5 reaches "$1" || bad "$1 is not reached without $was"
    [[ $(active) != "$was" ]] || bad "$was is still the active slave"
    flows "$1"
    xen 5 verify
    has "verify" "$out" "check cable and switch port of $was"
    mend "$was"
    until_true 45 as_asked
    xen 0 verify
}
whole_and_back() { # after a boot
    until_true 10 reaches
    is "members" "$(members)" "eth2 eth3"
    flows
    xen 0 verify
    xen 0 rollback --yes
    same_as before
}

case $WHAT in
story)
    boot_1() {
        snapshot before
        xen 5 plan "${NAS[@]}" --check
        untouched
        xen 0 apply "${NAS[@]}" --yes
        is "members" "$(members)" "eth2 eth3"
        is "address" "$(addresses "$(bridge_of NAS)")" "172.16.51.11/24"
        flows
        xen 0 apply "${NAS[@]}" --yes
        has "applied once more" "$out$err" "Nothing to do"
        fails_over $STORAGE
        xen 0 drill bond0 --target $STORAGE
        quick_boots
    }
    boot_2() {
        whole_and_back
    }
    boot_3() { same_as before; xen 0 rollback --yes; } ;;
management)
    boot_1() {
        snapshot before
        xen 6 apply "${MGT[@]}" --yes
        has "the verdict" "$out$err" "xenbond confirm"
        is "address" "$(addresses "$(bridge_of MGT)")" "10.20.0.11/24"
        is "default route" "$(ip route show default | awk '{print $5}')" "$(bridge_of MGT)"
        flows 10.20.0.1
        xen 0 confirm
        xen 0 verify
        quick_boots
    }
    boot_2() {
        until_true 10 reaches 10.20.0.1
        fails_over 10.20.0.1
        xen 0 rollback --yes
        over_within 60
        flows 10.20.0.1
        same_as before
    }
    boot_3() { same_as before; } ;;
dead)
    hardware() { # a port by itself would answer for the addresses of the others
        ip netns exec net bash -c 'echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore'
        ip -n net link set p3 nomaster
    }
    boot_1() {
        snapshot before
        xen 1 apply "${MGT[@]}" --yes
        has "the refusal" "$out$err" eth3
        untouched
    } ;;
lacp)
    hardware() { load bonding; lag eth2 eth3 & }
    boot_1() {
        snapshot before
        xen 0 apply "${NAS[@]/active-backup/802.3ad}" --yes
        flows
        xen 0 verify
        ip -n net link set p3 down; ip -n net link set p3 nomaster; port p3
        until_true 100 eval 'ovs-appctl lacp/show bond0 | grep -q "eth3: \(defaulted\|expired\)"' || bad "eth3 keeps its partner"
        xen 5 --json verify
        has "not as asked" "$(failing)" eth3
        xen 0 rollback --yes
        ip -n net link set p2 nomaster; port p2
        same_as before
    } ;;
rows)
    boot_1() {
        xen 0 apply "${NAS[@]}" --mtu 1400 --yes
        local bridge; bridge=$(bridge_of NAS)
        must ip addr del 172.16.51.11/24 dev "$bridge"; only address; must ip addr add 172.16.51.11/24 brd + dev "$bridge"
        must ip link set eth3 mtu 1500; only "eth3 MTU"; must ip link set eth3 mtu 1400
        must $XE pif-param-set uuid="$(pif)" disallow-unplug=false; only "bond0 disallow-unplug"
        must $XE pif-param-set uuid="$(pif)" disallow-unplug=true
        cut eth3; if on_bridge; then only "eth3 link"; else only "eth3 link, eth3 enabled"; fi
        mend eth3; until_true 45 as_asked
        if on_bridge; then
            local b=$NET/bond0/bonding
            echo 0 > $b/updelay; only updelay; echo 31000 > $b/updelay
            echo 100 > $b/downdelay; only downdelay; echo 200 > $b/downdelay
            echo 200 > $b/miimon; only "miimon, updelay, downdelay"; echo 100 > $b/miimon
            must ip link set bond0 nomaster; only "bond0 bridge, $bridge MTU"; must ip link set bond0 master "$bridge"
            echo -eth3 > $b/slaves; xen 5 --json verify
            has "not as asked" "$(failing)" slaves
            ip link set eth3 down; echo +eth3 > $b/slaves
        else
            must ovs-vsctl set port bond0 bond_updelay=0; only updelay; must ovs-vsctl set port bond0 bond_updelay=31000
            must ovs-vsctl set port bond0 bond_downdelay=0; only downdelay; must ovs-vsctl set port bond0 bond_downdelay=200
            must ovs-vsctl set port bond0 bond_mode=balance-slb; xen 5 --json verify
            has "not as asked" "$(failing)" mode
            must ovs-vsctl set port bond0 bond_mode=active-backup
            must ovs-vsctl del-bond-iface bond0 eth3; only bond0 # one NIC is an ordinary port
            must ovs-vsctl add-bond-iface bond0 eth3
        fi
        until_true 45 as_asked
        xen 0 verify
    } ;;
kills)
    round() { # NUMBER
        if (($1 == 1)); then snapshot before; else
            if (($1 % 2)); then
                xen "0|5" resume
                [[ -z $(pif) ]] || quick_boots
            fi
            xen 0 rollback --yes
            same_as before
        fi
        (($1 <= KILLS)) || return 0
        [[ ! -s /lab/failures ]] || return
        local wait; wait=$(random 14000) # then it only waits for the second link
        echo "the power goes after $wait ms of xenbond apply"
        echo again > /lab/status
        /usr/bin/xenbond apply "${NAS[@]}" --yes > /dev/null 2>&1 < /dev/null &
        sleep "$((wait / 1000)).$(printf %03d $((wait % 1000)))"
        echo o > /proc/sysrq-trigger
        sleep 10
    }
    for ((n = 1; n <= KILLS + 1; n++)); do eval "boot_$n() { round $n; }"; done ;;
cut)
    boot_1() {
        snapshot before
        echo '{"dom0": {"saves": {"xapi": 200000, "networkd": 200000}}}' > /run/saves
        must /model/standin set /model /run/saves
        /usr/bin/xenbond apply "${NAS[@]}" --yes > /lab/applied 2>&1 < /dev/null &
        until_true 100 grep -q "survives a power cut" /lab/applied || bad "nothing is waited for"
        touch /lab/lost
        cut_power
    }
    boot_2() {
        over_within 300
        whole_and_back
    } ;;
esac
