#: story-el7 el7 bridge 30 | mode 1 on systemd: apply, traffic, again, reboot, rollback, reboot
#: story-el5 el5 bridge 30 | mode 1 on SysV: the same

boot_1() {
    snapshot before
    xen 5 plan "${SPEC[@]}" --check
    untouched
    xen 0 apply "${SPEC[@]}" --yes
    bond_stands
    is miimon "$(opt miimon)" 100
    flows
    xen 0 verify "${SPEC[@]}"
    rm /lab/calls
    lossless xen 0 apply "${SPEC[@]}" --yes
    is "programs run by the second apply" "$(cat /lab/calls 2>/dev/null)" ""
}
boot_2() {
    is "address of bond51 when XAPI came to its storage" "$(cat /run/mounted)" "172.16.51.11/24"
    is "times that the boot brought it up" "$(calls '^ifup bond51')" 1
    until_true 5 reaches
    bond_stands
    is miimon "$(opt miimon)" 100
    flows
    xen 0 verify
    traffic start 0.02
    xen 0 rollback --yes
    traffic stop
    same_as before
    for nic in eth2 eth3; do
        is "master of $nic" "$(master $nic)" "xenbr${nic#eth}"
        is "MAC of $nic" "$(mac $nic)" "00:1b:21:0a:01:0${nic#eth}"
        is_up $nic || bad "$nic is down"
    done
    rm /lab/calls
}
boot_3() {
    same_as before
    is "programs run by the boot" "$(cat /lab/calls 2>/dev/null)" ""
    xen 0 rollback --yes
}
