//! The record of the pool: most of its fields are settings that nothing here turns on.

use super::{NIL, Record, Row, host_uuid};
use crate::model::state::Release::{self, V24_39, V26_1};
use crate::model::state::{Map, State};

/// Name, kind and value of what a pool without such settings has, and since when.
const SETTINGS: [(&str, &str, &str, Release); 50] = [
    ("current-operations", "SRO", "", V24_39),
    ("ha-configuration", " RO", "", V24_39),
    ("ha-statefiles", " RO", "", V24_39),
    ("ha-host-failures-to-tolerate", " RW", "0", V24_39),
    ("ha-plan-exists-for", " RO", "0", V24_39),
    ("ha-allow-overcommit", " RW", "false", V24_39),
    ("ha-overcommitted", " RO", "false", V24_39),
    ("ha-reboot-vm-on-internal-shutdown", " RW", "true", V26_1),
    ("blobs", " RO", "", V24_39),
    ("wlb-url", " RO", "", V24_39),
    ("wlb-username", " RO", "", V24_39),
    ("wlb-enabled", " RW", "false", V24_39),
    ("wlb-verify-cert", " RW", "false", V24_39),
    ("igmp-snooping-enabled", " RW", "false", V24_39),
    ("gui-config", "MRW", "", V24_39),
    ("health-check-config", "MRW", "", V24_39),
    ("tags", "SRW", "", V24_39),
    ("license-state", " RO", "edition: xcp-ng; expiry: never", V24_39),
    ("ha-cluster-stack", " RO", "xhad", V24_39),
    ("guest-agent-config", "MRW", "", V24_39),
    ("policy-no-vendor-device", " RW", "false", V24_39),
    ("live-patching-disabled", " RW", "false", V24_39),
    ("tls-verification-enabled", " RO", "false", V24_39),
    ("client-certificate-auth-enabled", " RO", "false", V24_39),
    ("client-certificate-auth-name", " RO", "", V24_39),
    ("repositories", "SRW", "", V24_39),
    ("repository-proxy-url", " RO", "", V24_39),
    ("repository-proxy-username", " RO", "", V24_39),
    ("https-only", " RW", "false", V24_39),
    ("migration-compression", " RW", "false", V24_39),
    ("coordinator-bias", " RW", "true", V24_39),
    ("telemetry-frequency", " RO", "weekly", V24_39),
    ("telemetry-next-collection", " RO", "19700101T00:00:00Z", V24_39),
    ("last-update-sync", " RO", "19700101T00:00:00Z", V24_39),
    ("update-sync-frequency", " RO", "weekly", V24_39),
    ("update-sync-day", " RO", "0", V24_39),
    ("update-sync-enabled", " RO", "false", V24_39),
    ("auto-update-vm-secureboot-certificates", " RW", "false", V26_1),
    ("recommendations", "MRO", "", V24_39),
    ("ext-auth-cache-enabled", " RW", "false", V26_1),
    ("ext-auth-cache-size", " RW", "50", V26_1),
    ("ext-auth-cache-expiry", " RW", "300", V26_1),
    ("license-server", "MRW", "", V26_1),
    ("ssh-enabled", " RO", "false", V26_1),
    ("ssh-enabled-timeout", " RW", "0", V26_1),
    ("ssh-expiry", " RO", "<inconsistent>", V26_1),
    ("console-idle-timeout", " RW", "0", V26_1),
    ("ssh-auto-mode", " RW", "true", V26_1),
    ("limit-console-sessions", " RW", "false", V26_1),
    ("vm-console-idle-timeout", " RW", "0", V26_1),
];

/// What an edition may forbid and xcp-ng does not, without `restrict_`.
const RESTRICTIONS: &str = "vlan qos pool_attached_storage netapp equalogic pooling enable_xha marathon email_alerting historical_performance wlb rbac dmc checkpoint cpu_masking connection platform_filter regular_nag_dialog vmpr vmss intellicache gpu dr vif_locking storage_xen_motion vgpu integrated_gpu_passthrough vss guest_agent_auto_update pci_device_for_auto_update xen_motion guest_ip_setting ad nested_virt live_patching set_vcpus_number_live pvs_proxy igmp_snooping rpu pool_size cbt usb_passthrough network_sriov corosync cluster_address zstd_export pool_secret_rotation certificate_verification updates internal_repo_access vtpm vm_groups vm_start vm_appliance_start";

fn restrictions() -> String {
    let one = |word: &str| match word {
        "enable_xha" => "enable_xha: true".to_string(),
        "platform_filter" | "regular_nag_dialog" => format!("{word}: false"),
        _ => format!("restrict_{word}: false"),
    };
    RESTRICTIONS.split(' ').map(one).collect::<Vec<_>>().join("; ")
}

const OPERATIONS: &str = "ha_enable; cluster_create; designate_new_master; tls_verification_enable; configure_repositories; sync_updates; sync_bundle; apply_updates; cert_refresh; exchange_certificates_on_join; exchange_ca_certificates_on_join; copy_primary_host_certs; eject; get_updates";

pub(super) fn pool(state: &State) -> Record {
    let p = &state.pool;
    let release = state.release();
    let mut row = Row::new(state, &p.uuid);
    row.rw("name-label", &p.name_label);
    row.noted("name-description", " RW", "");
    row.ro("master", host_uuid(state, &p.master));
    row.noted("default-SR", " RW", NIL);
    row.noted("crash-dump-SR", " RW", NIL);
    row.noted("suspend-image-SR", " RW", NIL);
    if release < V24_39 {
        row.map("other-config", true, &p.other_config);
        row.ro("ha-enabled", p.ha_enabled);
        row.map("ha-configuration", false, &Map::new());
        row.ro("ha-host-failures-to-tolerate", 0);
        return row.done("pool");
    }
    row.expensive("supported-sr-types");
    row.map("other-config", true, &p.other_config);
    let more = if release >= V26_1 { "; exchange_crls_on_join" } else { "" };
    row.noted("allowed-operations", "SRO", format!("{OPERATIONS}{more}"));
    for (name, kind, usual, _) in SETTINGS.iter().filter(|(.., since)| release >= *since) {
        match *name {
            "https-only" => row.noted(name, kind, release < V26_1),
            _ => row.noted(name, kind, usual),
        }
        match *name {
            "current-operations" => row.ro("ha-enabled", p.ha_enabled),
            "health-check-config" => row.noted("restrictions", " RO", restrictions()),
            "guest-agent-config" => row.noted("cpu_info", "MRO", "cpu_count: 0; vendor: unknown"),
            _ => {}
        }
    }
    row.done("pool")
}
