#: fault-mode-word el7 bridge 15 | a bad mode word, by flag and by template: refused, nothing touched
#: fault-option el7 bridge ~15 | a misspelt option, in the spec and in a template: refused, nothing touched
#: fault-hash el7 bridge ~15 | a bad hash policy: refused, nothing touched
#: fault-primary el7 bridge ~15 | a primary that is no slave: refused, nothing touched
#: fault-nic el7 bridge 15 | a NIC that is not there: refused, nothing touched
#: fault-held el7 bridge 30 | a NIC that the driver does not enslave, ifup says 0: undone, compared
#: fault-held-el5 el5 bridge ~30 | the same on EL5
#: fault-refused el7 bridge 45 | a mode or an option that the driver refuses, ifup says 0: undone, compared
#: fault-live el7 bridge 30 | the mode changed in the files of a live bond, which ifup ignores: seen, mended by apply
#: fault-address el7 bridge 30 | an address that another host has: refused, or undone and compared
#: fault-address-el5 el5 bridge ~30 | the same on EL5
#: master-gone el7 bridge 200 | the master goes at some call of apply: files and bond go back, what is left is named, and done when it is back
#: master-gone-el5 el5 bridge ~200 | the same on EL5
#: mode-7 el7 bridge 15 | mode 7, which this driver does not know: refused, nothing touched
#: mode-7-el5 el5 bridge ~15 | the same on EL5

template() { # SED: the built-in template of the bond's file, altered
    mkdir -p /run/t
    printf '%s\n' 'DEVICE={{ bond }}' ONBOOT=yes BOOTPROTO=none 'IPADDR={{ address }}' 'NETMASK={{ netmask }}' 'BONDING_OPTS="{{ options }}"' \
        PEERDNS=no DEFROUTE=no NOZEROCONF=yes IPV6INIT=no NM_CONTROLLED=no USERCTL=no HOTPLUG=no '{% if mtu %}MTU={{ mtu }}' '{% endif -%}' |
        sed "$1" > /run/t/ifcfg-bond.tera
}
undone() { # the failed apply left nothing
    same_as before
    for nic in eth2 eth3; do is "master of $nic" "$(master $nic)" "xenbr${nic#eth}"; done
    gone $NET/bond51
}
boot_1() {
    snapshot before
    case $CASE in
    fault-mode-word)
        xen 2 apply "${SPEC[@]}" --mode active_backup --yes
        has "the error" "$err" active_backup
        template 's/{{ options }}/mode=active_backup miimon=100/'
        xen "1|2" apply "${SPEC[@]}" --templates /run/t --yes
        untouched ;;
    fault-option)
        printf '[bond]\nname = bond51\nnics = eth2, eth3\nmimon = 100\n[addresses]\nxen01 = 172.16.51.11/24\n' > /run/spec
        xen 2 apply --spec /run/spec --yes
        has "the error" "$err" miimon
        template 's/{{ options }}/mode=active-backup mimon=100/'
        xen "1|2" apply "${SPEC[@]}" --templates /run/t --yes
        untouched ;;
    fault-hash)
        xen 2 apply "${SPEC[@]}" --mode 2 --xmit-hash-policy layer7 --yes
        xen 2 apply "${SPEC[@]}" --mode 1 --xmit-hash-policy layer3+4 --yes
        untouched ;;
    fault-primary)
        xen "1|2" apply "${SPEC[@]}" --primary eth4 --yes
        has "the answer" "$out$err" "primary eth4"
        untouched ;;
    fault-nic)
        xen 1 apply --bond bond51 --nic eth2,eth9 --address 172.16.51.11/24 --yes
        has "the answer" "$out$err" eth9
        untouched ;;
    mode-7*)
        xen 1 apply "${SPEC[@]}" --mode 7 --yes
        has "the answer" "$out$err" balance-slb
        xen 1 apply "${SPEC[@]}" --mode balance-slb --yes
        untouched
        gone $NET/bonding_masters ;;
    master-gone*)
        # The first calls look at the host; at these a step of the change is under way.
        echo $((22 + SEED % 10)) > /run/master-goes
        xen 4 apply "${SPEC[@]}" --yes
        has "the error" "$err" "XAPI of the pool's master does not answer"
        gone $NET/bond51
        is "files of the bond" "$(ls /etc/sysconfig/network-scripts | grep -c 'ifcfg-\(bond51\|eth[23]\)')" 0
        has "what is left" "$err" "re-create the PIF of eth2"
        rm /run/master-goes
        xen 0 rollback --yes
        undone ;;
    fault-held*)
        echo +eth3 > /lab/driver-lacks
        xen 3 apply "${SPEC[@]}" --yes
        has "the error" "$err" "slaves"
        undone ;;
    fault-refused*)
        # A driver that is older than the option, or has not the mode.
        for option in mode miimon num_grat_arp; do
            echo $option > /lab/driver-lacks
            xen 3 apply "${SPEC[@]}" --num-grat-arp 5 --yes
            has "the error" "$err" "$option: expected"
            same_as before
        done
        undone ;;
    fault-address*)
        xen 1 apply --bond bond51 --nic eth2,eth3 --address 172.16.51.3/24 --yes
        has "the error" "$err" "address-answers: 172.16.51.3"
        untouched
        # A machine that takes the address only when it was looked for already.
        (until [[ -e $NET/bond51 ]]; do sleep 0.02; done; ip -n net addr add 172.16.51.9/24 dev sw) &
        xen 3 apply --bond bond51 --nic eth2,eth3 --address 172.16.51.9/24 --yes
        has "the error" "$err" 172.16.51.9
        is "who answers for it" "$(arping -c 1 -w 1 -I xenbr2 -s 0.0.0.0 172.16.51.3 2>/dev/null | grep -o '\[.*\]')" "[00:50:56:00:51:02]"
        undone ;;
    fault-live)
        xen 0 apply "${SPEC[@]}" --yes
        sed -i 's/mode=active-backup/mode=balance-rr/' /etc/sysconfig/network-scripts/ifcfg-bond51
        must ifup bond51
        is "mode after ifup" "$(word mode)" active-backup
        xen 5 verify
        has "verify" "$out" ifcfg-bond51
        xen 0 apply "${SPEC[@]}" --mode balance-rr --yes
        bond_stands balance-rr
        flows
        xen 0 verify ;;
    esac
}
