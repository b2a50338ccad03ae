"""Operations of the Proton API whose capability is still to come. They say so when they are called."""

LATER = {
    "CreateServiceSyncConfig",
    "CreateTemplateSyncConfig",
    "DeleteServiceSyncConfig",
    "DeleteTemplateSyncConfig",
    "GetRepositorySyncStatus",
    "GetServiceInstanceSyncStatus",
    "GetServiceSyncBlockerSummary",
    "GetServiceSyncConfig",
    "GetTemplateSyncConfig",
    "GetTemplateSyncStatus",
    "ListRepositorySyncDefinitions",
    "UpdateServiceSyncBlocker",
    "UpdateServiceSyncConfig",
    "UpdateTemplateSyncConfig",
}
