#: failover el7 bridge 60 | each slave's link cut in turn under traffic: verify says 5 meanwhile, 0 after
#: failover-rr el7 bridge ~60 balance-rr | the same in mode 0
#: change-option el7 bridge ~30 | another miimon on a live bond, and back by rollback
#: change-mode el7 bridge 30 | another mode on a live bond, and back by rollback
#: change-slaves el7 bridge 30 | another slave on a live bond, and back by rollback
#: change-address el7 bridge 30 | another address on a live bond, and back by rollback
#: rollback-under-traffic el5 bridge 30 | rollback while the bond carries traffic

hardware() { [[ $ARG == balance-rr ]] && static_lag on; }
failover() {
    local mode=${ARG:-active-backup}
    xen 0 apply "${SPEC[@]}" --mode "$mode" --yes
    for nic in eth2 eth3; do
        other=eth$((5 - ${nic#eth}))
        traffic start 0.01
        cut $nic
        until_true 3 eval '[[ $(cat $NET/$nic/bonding_slave/mii_status) == down ]]' || bad "the driver does not see that $nic is down"
        [[ $mode == active-backup ]] && is "active slave" "$(opt active_slave)" $other
        sleep 0.5
        traffic stop
        ((lost <= 60)) || bad "$lost of $sent packets lost when $nic failed"
        until_true 3 reaches
        flows
        xen 5 verify
        has "verify" "$out" "$nic link"
        [[ $out == *"$other link: expected"* ]] && bad "verify blames $other too"
        traffic start 0.01
        mend $nic
        until_true 3 eval '[[ $(cat $NET/$nic/bonding_slave/mii_status) == up ]]' || bad "the driver does not see that $nic is back"
        sleep 0.3
        traffic stop
        xen 0 verify
        is "failures of $nic" "$(cat $NET/$nic/bonding_slave/link_failure_count)" 1
    done
}
change() { # ARGUMENT...: from SPEC to this, which then stands
    xen 0 apply "${SPEC[@]}" --yes
    flows
    xen 5 plan "$@" --check
    [[ $CASE != change-slaves && $out == *"forget its PIF"* ]] && bad "the plan forgets PIFs for $CASE"
    [[ $CASE == change-mode* ]] && static_lag on
    xen 0 apply "$@" --yes
    flows
    xen 0 verify "$@"
}
boot_1() {
    snapshot before
    case $CASE in
    failover*) failover; return ;;
    change-option)
        change "${SPEC[@]}" --miimon 250
        bond_stands
        is miimon "$(opt miimon)" 250
        xen 0 rollback --yes
        is miimon "$(opt miimon)" 100 ;;
    change-mode*)
        change "${SPEC[@]}" --mode balance-xor
        bond_stands balance-xor
        xen 0 rollback --yes ;;
    change-slaves)
        change --bond bond51 --nic eth2,eth4 --address 172.16.51.11/24
        bond_stands active-backup "eth2 eth4"
        is "master of eth3" "$(master eth3)" xenbr3
        gone /etc/sysconfig/network-scripts/ifcfg-eth3
        xen 0 rollback --yes
        is "master of eth4" "$(master eth4)" xenbr4 ;;
    change-address)
        change --bond bond51 --nic eth2,eth3 --address 172.16.51.77/25
        is "address" "$(addresses bond51)" 172.16.51.77/25
        xen 0 rollback --yes ;;
    rollback-under-traffic)
        xen 0 apply "${SPEC[@]}" --yes
        traffic start 0.005
        xen 0 rollback --yes
        traffic stop
        same_as before
        for nic in eth2 eth3; do
            is "master of $nic" "$(master $nic)" "xenbr${nic#eth}"
            is "MAC of $nic" "$(mac $nic)" "00:1b:21:0a:01:0${nic#eth}"
            is_up $nic || bad "$nic is down"
        done
        return ;;
    esac
    bond_stands
    flows
    xen 0 verify "${SPEC[@]}"
}
