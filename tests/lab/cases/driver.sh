#: loaded el7 bridge 30 | the driver loaded by someone else with other parameters, a bond of theirs: right, and theirs undisturbed
#: old-scripts el5 bridge 30 | initscripts without BONDING_OPTS: the module's options count
#: old-scripts-loaded el5 bridge ~40 | the same, and the driver was loaded before: options ignored, seen and undone
#: lacp-silent el7 bridge 130 | mode 4, and the switch sends no LACPDU: named, undone

theirs() { # another bond of the host, with its traffic
    cat /sys/class/net/bond7/bonding/{mode,miimon,slaves,active_slave} $NET/bond7/address
    addresses bond7
    cat /sys/class/net/eth4/bonding_slave/link_failure_count
}
boot_1() {
    case $CASE in
    loaded*)
        for nic in eth4 eth5; do ip link set $nic nomaster; ip link set $nic down; done
        must modprobe bonding mode=balance-xor miimon=77 max_bonds=1
        echo +bond7 > $NET/bonding_masters
        echo active-backup > $NET/bond7/bonding/mode
        echo +eth4 > $NET/bond7/bonding/slaves
        echo +eth5 > $NET/bond7/bonding/slaves
        ip link set bond7 up
        ip addr add 172.16.77.1/24 dev bond7
        ip -n net addr add 172.16.77.2/24 dev sw
        until_true 5 reaches 172.16.77.2
        snapshot before
        theirs > /run/theirs
        ping -q -n -i 0.01 172.16.77.2 > /run/theirping 2>&1 & pinger=$!
        xen 0 apply "${SPEC[@]}" --yes
        is mode "$(word mode)" active-backup
        is miimon "$(opt miimon)" 100
        is slaves "$(slaves)" "eth2 eth3"
        is "their bond" "$(theirs)" "$(< /run/theirs)"
        is "bonds" "$(tr ' ' '\n' < $NET/bonding_masters | sort | xargs)" "bond0 bond51 bond7"
        flows
        xen 0 verify
        xen 0 rollback --yes
        kill -INT $pinger; wait $pinger
        is "lost by their bond" "$(awk '/transmitted/ {n = $1 - $4; print n < 2 ? 0 : n}' /run/theirping)" 0
        is "their bond" "$(theirs)" "$(< /run/theirs)"
        same_as before ;;
    old-scripts*)
        touch /lab/no-bonding-opts
        sed -i s/BONDING_OPTS// /etc/sysconfig/network-scripts/network-functions
        [[ $CASE == *loaded ]] && must modprobe bonding max_bonds=0
        snapshot before
        if [[ $CASE == *loaded ]]; then
            xen 1 apply "${SPEC[@]}" --yes
            has "the error" "$err" no-bonding-opts
            xen 3 apply "${SPEC[@]}" --yes --accept no-bonding-opts
            has "the error" "$err" "mode"
        else
            xen 0 apply "${SPEC[@]}" --yes
            bond_stands
            is miimon "$(opt miimon)" 100
            flows
            xen 0 rollback --yes
        fi
        same_as before ;;
    lacp-silent)
        snapshot before
        xen 3 apply "${SPEC[@]}" --mode 802.3ad --yes
        has "the error" "$err" "the switch sends no LACPDU"
        has "the partner" "$err" "00:00:00:00:00:00"
        has "the aggregators" "$err" "eth2 in"
        same_as before ;;
    esac
}
