"""Rules of RDS and ElastiCache."""

from typing import Final

from aws_simulator.documented.rule import between, matching

DATABASE_NAME: Final = r"(?!.*--)[a-zA-Z][a-zA-Z0-9-]{0,62}(?<!-)"
HOUR: Final = r"([01]\d|2[0-3]):[0-5]\d"
DAYS: Final = "(mon|tue|wed|thu|fri|sat|sun)"
CLUSTER: Final = "AWS::RDS::DBCluster"
REPLICATION: Final = "AWS::ElastiCache::ReplicationGroup"

DATA: Final = (
    matching(
        DATABASE_NAME,
        "rds.CreateDBClusterMessage.DBClusterIdentifier",
        "Must contain from 1 to 63 (for Aurora DB clusters) or 1 to 52 (for Multi-AZ DB clusters) letters, numbers, or "
        "hyphens. First character must be a letter. Can't end with a hyphen or contain two consecutive hyphens.",
        f"{CLUSTER}/DBClusterIdentifier",
    ),
    matching(
        DATABASE_NAME,
        "rds.CreateDBInstanceMessage.DBInstanceIdentifier",
        "Must contain from 1 to 63 letters, numbers, or hyphens. First character must be a letter. Can't end with a "
        "hyphen or contain two consecutive hyphens.",
        "AWS::RDS::DBInstance/DBInstanceIdentifier",
    ),
    matching(
        r"[a-zA-Z][a-zA-Z0-9]{0,15}",
        "rds.CreateDBClusterMessage.MasterUsername",
        "Must be 1 to 16 letters or numbers. First character must be a letter.",
        f"{CLUSTER}/MasterUsername",
    ),
    matching(
        r"[a-zA-Z0-9]{1,64}",
        "rds.CreateDBClusterMessage.DatabaseName",
        "The name for your database of up to 64 alphanumeric characters.",
        f"{CLUSTER}/DatabaseName",
    ),
    between(
        1,
        35,
        "rds.CreateDBClusterMessage.BackupRetentionPeriod",
        "Must be a value from 1 to 35.",
        f"{CLUSTER}/BackupRetentionPeriod",
    ),
    between(1150, 65535, "rds.CreateDBClusterMessage.Port", "Valid Values: 1150-65535", f"{CLUSTER}/Port"),
    matching(
        f"{HOUR}-{HOUR}",
        "rds.CreateDBClusterMessage.PreferredBackupWindow",
        "Must be in the format hh24:mi-hh24:mi .",
        f"{CLUSTER}/PreferredBackupWindow",
    ),
    matching(
        f"(?i:{DAYS}):{HOUR}-(?i:{DAYS}):{HOUR}",
        "rds.CreateDBClusterMessage.PreferredMaintenanceWindow",
        "Must be in the format ddd:hh24:mi-ddd:hh24:mi . Days must be one of Mon | Tue | Wed | Thu | Fri | Sat | Sun .",
        f"{CLUSTER}/PreferredMaintenanceWindow",
    ),
    matching(
        "aurora-mysql|aurora-postgresql|mysql|postgres|neptune",
        "rds.CreateDBClusterMessage.Engine",
        "Valid Values: aurora-mysql aurora-postgresql mysql postgres neptune",
        f"{CLUSTER}/Engine",
    ),
    matching(
        "aurora-(mysql|postgresql)",
        "rds.CreateDBInstanceMessage.Engine",
        "aurora-mysql (for Aurora MySQL DB instances) aurora-postgresql (for Aurora PostgreSQL DB instances)",
        "AWS::RDS::DBInstance/Engine",
    ),
    matching(
        "open-source-rds-extended-support(-disabled)?",
        "rds.CreateDBClusterMessage.EngineLifecycleSupport",
        "Valid Values: open-source-rds-extended-support | open-source-rds-extended-support-disabled",
        f"{CLUSTER}/EngineLifecycleSupport",
    ),
    between(
        300,
        86400,
        "rds.ServerlessV2ScalingConfiguration.SecondsUntilAutoPause",
        "Specify a value between 300 seconds (five minutes) and 86,400 seconds (one day).",
        f"{CLUSTER}/ServerlessV2ScalingConfiguration/SecondsUntilAutoPause",
    ),
    matching(
        "0|1|5|10|15|30|60",
        "rds.CreateDBInstanceMessage.MonitoringInterval",
        "Valid Values: 0 | 1 | 5 | 10 | 15 | 30 | 60",
        "AWS::RDS::DBInstance/MonitoringInterval",
    ),
    between(
        0,
        15,
        "rds.CreateDBInstanceMessage.PromotionTier",
        "Valid Values: 0 - 15",
        "AWS::RDS::DBInstance/PromotionTier",
    ),
    matching(
        r"(?!default$)[a-zA-Z][a-zA-Z0-9._ -]{0,254}",
        "rds.CreateDBSubnetGroupMessage.DBSubnetGroupName",
        "Must contain no more than 255 letters, numbers, periods, underscores, spaces, or hyphens. Must not be "
        "default. First character must be a letter.",
        "AWS::RDS::DBSubnetGroup/DBSubnetGroupName",
    ),
    matching(
        r"(?!.*--)[a-zA-Z][a-zA-Z0-9-]{0,39}(?<!-)",
        "elasticache.CreateReplicationGroupMessage.ReplicationGroupId",
        "A name must contain from 1 to 40 alphanumeric characters or hyphens. The first character must be a letter. A "
        "name cannot end with a hyphen or contain two consecutive hyphens.",
        f"{REPLICATION}/ReplicationGroupId",
    ),
    between(
        1,
        6,
        "elasticache.CreateReplicationGroupMessage.NumCacheClusters",
        "The maximum permitted value for NumCacheClusters is 6 (1 primary plus 5 replicas).",
        f"{REPLICATION}/NumCacheClusters",
    ),
    matching(
        f"{DAYS}:{HOUR}-{DAYS}:{HOUR}",
        "elasticache.CreateReplicationGroupMessage.PreferredMaintenanceWindow",
        "Valid values for ddd are: sun mon tue wed thu fri sat",
        f"{REPLICATION}/PreferredMaintenanceWindow",
    ),
    matching(
        "valkey|redis",
        "elasticache.CreateReplicationGroupMessage.Engine",
        "The value must be set to valkey or redis .",
        f"{REPLICATION}/Engine",
    ),
    matching(
        r"[a-zA-Z0-9-]{1,255}",
        "elasticache.CreateCacheSubnetGroupMessage.CacheSubnetGroupName",
        "Must contain no more than 255 alphanumeric characters or hyphens.",
        "AWS::ElastiCache::SubnetGroup/CacheSubnetGroupName",
    ),
    matching(
        r"valkey[78]|memcached1\.[456]|redis(2\.6|2\.8|3\.2|4\.0|5\.0|6\.x|7)",
        "elasticache.CreateCacheParameterGroupMessage.CacheParameterGroupFamily",
        "Valid values are: valkey8 | valkey7 | memcached1.4 | memcached1.5 | memcached1.6 | redis2.6 | redis2.8 | "
        "redis3.2 | redis4.0 | redis5.0 | redis6.x | redis7",
        "AWS::ElastiCache::ParameterGroup/CacheParameterGroupFamily",
    ),
)
