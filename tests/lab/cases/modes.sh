#: mode-0 el7 bridge ~30 balance-rr | mode 0: apply, verify, traffic on both, reboot, rollback
#: mode-2 el5 bridge ~30 balance-xor | mode 2: the same
#: mode-3 el7 bridge ~30 broadcast | mode 3: the same
#: mode-4 el7 bridge 40 802.3ad | mode 4 with a partner that speaks LACP: the same
#: mode-5 el5 bridge ~30 balance-tlb | mode 5: the same
#: mode-6 el7 bridge ~30 balance-alb | mode 6: the same

hardware() {
    case $ARG in
    802.3ad) lag eth2 eth3 & ;;
    balance-rr | balance-xor | broadcast) static_lag on ;;
    esac
}
aggregated() {
    [[ $ARG == 802.3ad ]] || return
    partner_ready
    is "ports of the aggregator" "$(opt ad_num_ports)" 2
    is "partner" "$(opt ad_partner_mac)" 00:50:56:00:53:01
}
boot_1() {
    snapshot before
    xen 0 apply "${SPEC[@]}" --mode "$ARG" --yes
    bond_stands "$ARG"
    is miimon "$(opt miimon)" 100
    aggregated
    flows
    local a b; a=$(carried eth2) b=$(carried eth3)
    ping -q -n -c 40 -i 0.01 $STORAGE > /dev/null
    a=$(($(carried eth2) - a)) b=$(($(carried eth3) - b))
    note "frames by eth2: $a, by eth3: $b"
    case $ARG in
    balance-rr) ((a > 15 && b > 15)) || bad "not in turn: $a and $b frames" ;;
    broadcast) ((a >= 40 && b >= 40)) || bad "not on both: $a and $b frames" ;;
    *) ((a + b >= 40)) || bad "$a and $b frames for 40 packets" ;;
    esac
    xen 0 verify
}
boot_2() {
    aggregated
    until_true 5 reaches
    bond_stands "$ARG"
    flows
    xen 0 verify
    xen 0 rollback --yes
    same_as before
}
