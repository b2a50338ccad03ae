"""Operations of the Proton API whose capability is still to come. They say so when they are called."""

LATER = {
    "CreateRepository",
    "CreateServiceSyncConfig",
    "CreateTemplateSyncConfig",
    "DeleteRepository",
    "DeleteServiceSyncConfig",
    "DeleteTemplateSyncConfig",
    "GetRepository",
    "GetRepositorySyncStatus",
    "GetServiceInstanceSyncStatus",
    "GetServiceSyncBlockerSummary",
    "GetServiceSyncConfig",
    "GetTemplateSyncConfig",
    "GetTemplateSyncStatus",
    "ListRepositories",
    "ListRepositorySyncDefinitions",
    "UpdateServiceSyncBlocker",
    "UpdateServiceSyncConfig",
    "UpdateTemplateSyncConfig",
}
