#: backend-el7 el7 openvswitch ~40 | from Open vSwitch: exit 6, reboot, resume, rollback, reboot, resume
#: backend-el5 el5 openvswitch 40 | the same where the switch script deletes every ifcfg file

boot_1() {
    echo "DEVICE=eth9" > /etc/sysconfig/network-scripts/ifcfg-eth9
    snapshot before
    xen 6 apply "${SPEC[@]}" --yes
    is "network.conf" "$(cat /etc/xensource/network.conf)" bridge
    gone $NET/bond51
    is "master of eth2" "$(master eth2)" ovs-system
    there /etc/sysconfig/network-scripts/ifcfg-eth9
    xen 6 apply "${SPEC[@]}" --yes
    xen 1 apply --bond bond52 --nic eth2,eth3 --address 172.16.52.11/24 --yes
}
boot_2() {
    is "running backend" "$(cat /run/backend)" bridge
    # The boot unit may have gone on by itself.
    if [[ -e $NET/bond51 ]]; then xen 0 apply "${SPEC[@]}" --yes; else
        is "master of eth2" "$(master eth2)" xenbr2
        xen 0 resume
    fi
    bond_stands
    flows
    xen 0 verify
    xen 6 rollback --yes
    gone $NET/bond51
    is "network.conf" "$(cat /etc/xensource/network.conf)" openvswitch
}
boot_3() {
    is "running backend" "$(cat /run/backend)" openvswitch
    xen 0 resume
    same_as before
    is "master of eth2" "$(master eth2)" ovs-system
}
