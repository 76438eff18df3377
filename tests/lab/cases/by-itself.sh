#: by-itself-el7 el7 openvswitch 60 | one `apply --reboot`, one `rollback --reboot`, and no other command
#: by-itself-el5 el5 openvswitch 60 | the same with SysV scripts
#: gateway-dead el7 openvswitch ~140 gateway | the gateway is dead after the reboot: back by itself, with a second reboot
#: cut-switch el5 openvswitch 60 cut | the power goes between switch and reboot, and again during resume
#: cut-guard el7 bridge 40 guard | the power goes during the guard's rollback
#: unconfirmed el7 bridge 50 confirm | not confirmed, guard killed, confirmed from another session

hardware() {
    if [[ $ARG == gateway && $boot == 2 ]]; then ip -n net addr del 10.20.0.1/24 dev sw; fi
}
boot_1() {
    snapshot before
    case $ARG in
    "" | gateway) /usr/bin/xenbond apply "${SPEC[@]}" --yes --reboot; sleep 20; bad "no reboot came" ;;
    cut)
        touch /lab/no-shutdown
        xen 6 apply "${SPEC[@]}" --yes --reboot
        is "network.conf" "$(cat /etc/xensource/network.conf)" bridge
        rm /lab/no-shutdown
        cut_power
        ;;
    guard)
        xen 6 apply "${SPEC[@]}" --yes --confirm-within 2s
        bond_stands
        until journal_has '"event":"undone"'; do :; done
        cut_power
        ;;
    confirm) confirming ;;
    esac
}
boot_2() {
    case $ARG in
    "")
        over_within 150
        bond_stands
        flows
        xen 0 verify
        # Once more changes nothing, and reboots nothing.
        xen 0 apply "${SPEC[@]}" --yes --reboot
        has "the answer" "$out" "Nothing to do"
        /usr/bin/xenbond rollback --yes --reboot
        sleep 20
        bad "no reboot came"
        ;;
    gateway)
        is "running backend" "$(cat /run/backend)" bridge
        sleep 150
        bad "it did not go back by itself"
        ;;
    cut)
        until journal_has '"event":"begin","step":6'; do :; done
        cut_power
        ;;
    guard)
        over_within 150
        same_as before
        xen 1 confirm
        has "the answer" "$err" "not confirmed within 2s"
        ;;
    esac
}
boot_3() {
    over_within 150
    case $ARG in
    "" | gateway)
        is "running backend" "$(cat /run/backend)" openvswitch
        same_as before
        ;;
    cut)
        bond_stands
        flows
        xen 0 verify
        ;;
    esac
}
if [[ $ARG == confirm ]]; then unset -f boot_2; fi
if [[ $ARG == confirm || $ARG == guard ]]; then unset -f boot_3; fi

confirming() {
    xen 6 apply "${SPEC[@]}" --yes --confirm-within 3s
    bond_stands
    over_within 150
    same_as before
    has "what was told" "$(cat /lab/told)" "wall xenbond: bond51 is being rolled back"
    xen 1 confirm

    # The session that applied is gone, guard and all.
    setsid sh -c '/usr/bin/xenbond apply "$@" --yes --confirm-within 40s' sh "${SPEC[@]}" > /lab/session 2>&1
    is "exit status of the apply that was left" $? 6
    local guard
    guard=$(guards)
    kill -HUP "$guard"
    sleep 0.2
    kill -9 "$guard" 2> /dev/null
    xen 6 resume
    has "the answer" "$err" "had died and was started again"
    is "guards" "$(guards | wc -w)" 1
    setsid /usr/bin/xenbond confirm > /lab/session 2>&1
    is "exit status of confirm from another session" $? 0
    over_within 10
    bond_stands
    xen 0 verify
    xen 0 rollback --yes
    same_as before
}
