#: options-links el7 bridge 30 | miimon, updelay, downdelay, use_carrier, primary, primary_reselect, fail_over_mac, num_grat_arp, read back from /sys
#: options-links-el5 el5 bridge ~30 | the same, set in the order of EL5
#: options-arp el7 bridge 30 | arp_interval, arp_ip_target, arp_validate
#: options-lacp el7 bridge 40 | lacp_rate, ad_select, min_links, xmit_hash_policy
#: options-lacp-system el7 bridge ~40 | lacp_active, ad_actor_sys_prio, ad_actor_system, ad_user_port_key
#: options-more el7 bridge ~90 | peer_notif_delay, resend_igmp, all_slaves_active, arp_all_targets, arp_missed_max, tlb_dynamic_lb, lp_interval, packets_per_slave
#: options-words el7 bridge ~90 | more words of the options that take words, each on a live bond

hardware() { [[ $CASE == options-lacp* ]] && lag eth2 eth3 & }
read_back() { # OPTION=VALUE...
    local one
    for one; do is "${one%%=*} in /sys" "$(word "${one%%=*}")" "${one#*=}"; done
}
boot_1() {
    snapshot before
    case $CASE in
    options-links*)
        xen 0 apply "${SPEC[@]}" --miimon 50 --updelay 5000 --downdelay 150 --use-carrier 0 --primary eth3 \
            --primary-reselect better --fail-over-mac active --num-grat-arp 3 --mtu 9000 --yes
        bond_stands
        read_back miimon=50 updelay=5000 downdelay=150 use_carrier=0 primary=eth3 primary_reselect=better fail_over_mac=active num_grat_arp=3
        is "MTU" "$(mtu bond51) $(mtu eth2) $(mtu eth3)" "9000 9000 9000"
        ;;
    options-arp*)
        xen 0 apply "${SPEC[@]}" --arp-interval 200 --arp-ip-target 172.16.51.2,172.16.51.3 --arp-validate all --yes
        bond_stands
        read_back miimon=0 arp_interval=200 arp_validate=all
        is "arp_ip_target in /sys" "$(opt arp_ip_target)" "172.16.51.2 172.16.51.3"
        ;;
    options-lacp-system)
        xen 0 apply "${SPEC[@]}" --mode 4 --lacp-active on --ad-actor-sys-prio 1000 --ad-actor-system 02:00:00:00:51:01 --ad-user-port-key 7 --yes
        bond_stands 802.3ad
        partner_ready
        read_back lacp_active=on ad_actor_sys_prio=1000 ad_actor_system=02:00:00:00:51:01 ad_user_port_key=7
        ;;
    options-lacp*)
        xen 0 apply "${SPEC[@]}" --mode 4 --lacp-rate fast --ad-select bandwidth --min-links 2 --xmit-hash-policy layer3+4 --yes
        bond_stands 802.3ad
        partner_ready
        read_back lacp_rate=fast ad_select=bandwidth min_links=2 xmit_hash_policy=layer3+4
        ;;
    options-words) words ;;
    options-more) more ;;
    esac
    flows
    xen 0 verify
    [[ $CASE == options-words || $CASE == options-more ]] && return
    xen 0 rollback --yes
    same_as before
}
more() {
    static_lag on
    xen 0 apply "${SPEC[@]}" --mode 0 --packets-per-slave 8 --yes
    read_back mode=balance-rr packets_per_slave=8
    static_lag off
    xen 0 apply "${SPEC[@]}" --mode 5 --tlb-dynamic-lb 0 --xmit-hash-policy layer3+4 --lp-interval 30 --yes
    read_back mode=balance-tlb tlb_dynamic_lb=0 xmit_hash_policy=layer3+4 lp_interval=30
    xen 0 apply "${SPEC[@]}" --arp-interval 200 --arp-ip-target $STORAGE --arp-validate all --arp-all-targets all --arp-missed-max 4 --yes
    read_back mode=active-backup arp_all_targets=all arp_missed_max=4
    xen 0 apply "${SPEC[@]}" --num-grat-arp 3 --peer-notif-delay 200 --resend-igmp 2 --all-slaves-active 1 --yes
    read_back num_grat_arp=3 peer_notif_delay=200 resend_igmp=2 all_slaves_active=1
}
words() {
    local w
    static_lag on
    for w in layer2+3 encap3+4 vlan+srcmac; do
        xen 0 apply "${SPEC[@]}" --mode 2 --xmit-hash-policy $w --yes
        read_back mode=balance-xor xmit_hash_policy=$w
    done
    static_lag off
    for w in backup filter_active; do
        xen 0 apply "${SPEC[@]}" --arp-interval 100 --arp-ip-target $STORAGE --arp-validate $w --yes
        read_back mode=active-backup arp_validate=$w
    done
    xen 0 apply "${SPEC[@]}" --primary eth2 --primary-reselect failure --fail-over-mac follow --num-grat-arp 0 --yes
    read_back primary=eth2 primary_reselect=failure fail_over_mac=follow num_grat_arp=0
}
