#: capture el7 bridge ~60 | what the driver prints for each mode and situation is readable (see ../capture)

# Each text has beside it what /sys said at the same moment: another witness than the parser.
take() { # NAME
    local s 
    cat /proc/net/bonding/bond8 > "/lab/captured/$1.txt"
    {
        echo "mode $(word mode bond8)"
        echo "mii_status $(opt mii_status bond8)"
        for s in miimon updelay downdelay arp_interval; do echo "$s $(opt $s bond8)"; done
        echo "arp_ip_target $(opt arp_ip_target bond8)"
        case $(word mode bond8) in
        active-backup | balance-tlb | balance-alb) echo "active_slave $(opt active_slave bond8)"; echo "primary $(opt primary bond8)" ;;
        balance-xor | 802.3ad) echo "xmit_hash_policy $(word xmit_hash_policy bond8)" ;;
        esac
        case $(word mode bond8) in
        802.3ad) for s in ad_aggregator ad_num_ports ad_partner_mac; do echo "$s $(opt $s bond8)"; done; echo "lacp_rate $(word lacp_rate bond8)"; echo "min_links $(opt min_links bond8)" ;;
        active-backup) [[ $(word fail_over_mac bond8) == none ]] || echo "fail_over_mac $(word fail_over_mac bond8)" ;;
        esac
        for s in $(opt slaves bond8); do
            echo "slave $s $(line $NET/$s/bonding_slave/mii_status) $(line $NET/$s/bonding_slave/perm_hwaddr) $(line $NET/$s/bonding_slave/link_failure_count) $(line $NET/$s/bonding_slave/ad_aggregator_id)"
        done
    } > "/lab/captured/$1.want"
    # The real program reads it.
    xenbond --json show "/lab/captured/$1.txt" > /run/shown 2>&1 || bad "show $1: $(< /run/shown)"
    has "show $1" "$(tr -d ' \n' < /run/shown)" "\"mode\":\"$(word mode bond8)\""
}
bond() { # OPTION=VALUE...
    local one
    [[ -e $NET/bond8 ]] && ip link delete bond8
    ip link add bond8 type bond 2>/dev/null
    for one; do
        case $one in
        arp_ip_target=*) echo "+${one#*=}" > $NET/bond8/bonding/arp_ip_target ;;
        primary=*) ;;
        *) echo "${one#*=}" > "$NET/bond8/bonding/${one%%=*}" || bad "$one" ;;
        esac
    done
    for nic in eth4 eth5; do ip link set $nic down; ip link set $nic master bond8; done
    ip link set bond8 up
    for one; do [[ $one == primary=* ]] && echo "${one#*=}" > $NET/bond8/bonding/primary; done
    ip addr add 172.16.51.44/24 dev bond8
    sleep 0.5
}
lagged() {
    ip -n net link add lag address 00:50:56:00:53:01 type bond mode 802.3ad miimon 100 lacp_rate fast
    for p in p4 p5; do ip -n net link set $p down; ip -n net link set $p nomaster; ip -n net link set $p master lag; done
    ip -n net link set lag up
    until_true 20 eval '(($(opt ad_num_ports bond8) == 2)) && [[ $(opt ad_partner_mac bond8) == 00:50:56:00:53:01 ]]'
}
boot_1() {
    mkdir -p /lab/captured
    for nic in eth4 eth5; do ip link set $nic nomaster; done
    modprobe bonding max_bonds=0
    ip link add bond8 type bond
    take no-slaves-down
    bond mode=balance-rr miimon=100; take mode-0
    cut eth5; sleep 0.4; take mode-0-one-link-down
    mend eth5
    bond mode=active-backup miimon=100 updelay=3000 downdelay=3000 primary=eth5; sleep 3.5; take mode-1-primary
    cut eth5; sleep 0.5; take mode-1-going-down; sleep 4; take mode-1-primary-down
    mend eth5; sleep 0.5; take mode-1-going-back; sleep 4; take mode-1-primary-back
    cut eth4; cut eth5; sleep 4; take mode-1-no-link
    mend eth4; mend eth5
    bond mode=active-backup miimon=100 fail_over_mac=active; take mode-1-fail-over-mac-active
    bond mode=active-backup miimon=100 fail_over_mac=follow; take mode-1-fail-over-mac-follow
    bond mode=active-backup arp_interval=100 arp_ip_target=172.16.51.2 arp_ip_target=172.16.51.3 arp_validate=all; sleep 1; take mode-1-arp
    bond mode=active-backup; take mode-1-no-monitor
    bond mode=balance-xor miimon=100 xmit_hash_policy=layer3+4; take mode-2
    bond mode=broadcast miimon=100; take mode-3
    bond mode=802.3ad miimon=100 min_links=1; sleep 1; take mode-4-no-partner
    lagged; take mode-4-partner
    cut eth5; sleep 0.5; take mode-4-one-link-down
    mend eth5
    ip -n net link del lag
    for p in p4 p5; do port $p; done
    bond mode=balance-tlb miimon=100 primary=eth4; take mode-5
    bond mode=balance-alb miimon=100; take mode-6
    ip link set bond8 down; take mode-6-down
}
