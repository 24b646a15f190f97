variable "bucket" {
  description = "Name of the bucket to create for raw files, work files and rejected records; no other bucket in the world may have it."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket: 3 to 63 lower-case letters, digits and hyphens; no dots, which break TLS to S3."
  }
}

variable "name" {
  description = "What everything but the bucket is called, or begins with."
  type        = string
  default     = "cti-etl"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name: 3 to 32 lower-case letters, digits and hyphens, the first a letter."
  }
}

variable "raw_prefix" {
  description = "Where feeds put their files in the bucket."
  type        = string
  default     = "raw/"

  validation {
    condition     = can(regex("^([A-Za-z0-9_-]+/)+$", var.raw_prefix))
    error_message = "raw_prefix: letters, digits, _ and -, with a slash at the end, such as raw/."
  }
}

variable "work_prefix" {
  description = "Where the loader puts manifests and rewritten files for COPY; what is under it is deleted after `work_days`."
  type        = string
  default     = "work/"

  validation {
    condition     = can(regex("^([A-Za-z0-9_-]+/)+$", var.work_prefix))
    error_message = "work_prefix: letters, digits, _ and -, with a slash at the end, such as work/."
  }

  validation {
    # The one is never deleted by itself, the other is.
    condition     = !startswith(var.work_prefix, var.raw_prefix) && !startswith(var.raw_prefix, var.work_prefix)
    error_message = "work_prefix: neither it nor raw_prefix may lie within the other, or raw files would expire."
  }
}

variable "rejects_prefix" {
  description = "Where the loader keeps rejected records as JSON lines; nothing under it is deleted."
  type        = string
  default     = "rejects/"

  validation {
    condition     = can(regex("^([A-Za-z0-9_-]+/)+$", var.rejects_prefix))
    error_message = "rejects_prefix: letters, digits, _ and -, with a slash at the end, such as rejects/."
  }

  validation {
    condition = alltrue([
      for prefix in [var.raw_prefix, var.work_prefix] :
      !startswith(var.rejects_prefix, prefix) && !startswith(prefix, var.rejects_prefix)
    ])
    error_message = "rejects_prefix: neither it nor raw_prefix or work_prefix may lie within the other, or rejected records would be loaded or expire."
  }
}

variable "work_days" {
  description = "Days after which what a killed load left under `work_prefix` is deleted."
  type        = number
  default     = 7

  validation {
    # A load that runs must not lose its manifest, and S3 counts days from midnight.
    condition     = var.work_days >= 2 && floor(var.work_days) == var.work_days
    error_message = "work_days: a whole number of 2 or more."
  }
}

variable "old_version_days" {
  description = "Days that overwritten and deleted versions of raw files are kept."
  type        = number
  default     = 90

  validation {
    condition     = var.old_version_days >= 1 && floor(var.old_version_days) == var.old_version_days
    error_message = "old_version_days: a whole number of 1 or more."
  }
}

variable "force_destroy" {
  description = "Whether `terraform destroy` deletes the bucket with all files in it; otherwise it stops there."
  type        = bool
  default     = false
}

variable "existing_cluster" {
  description = "Identifier of a provisioned Redshift cluster to load into; null creates Redshift Serverless instead."
  type        = string
  default     = null

  validation {
    condition     = var.existing_cluster == null || can(regex("^[a-z][a-z0-9-]{0,62}$", var.existing_cluster))
    error_message = "existing_cluster: the cluster's identifier, such as warehouse-1, not its address."
  }
}

variable "existing_cluster_secret" {
  description = "ARN of the secret with the password of `database_user` on the existing cluster, if there is one."
  type        = string
  default     = null

  validation {
    condition     = var.existing_cluster_secret == null || can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^*?]+$", var.existing_cluster_secret))
    error_message = "existing_cluster_secret: the whole ARN of one secret."
  }

  validation {
    condition     = var.existing_cluster_secret == null || var.existing_cluster != null
    error_message = "existing_cluster_secret: only with existing_cluster; Serverless makes its own secret."
  }
}

variable "database" {
  description = "The database that is loaded into; created with Serverless."
  type        = string
  default     = "dev"

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,63}$", var.database))
    error_message = "database: lower-case letters, digits and _, the first no digit."
  }
}

variable "database_user" {
  description = "The user that the loader logs in as, and the only one that may COPY with the role."
  type        = string
  default     = "cti_admin"

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,126}$", var.database_user)) && var.database_user != "public"
    error_message = "database_user: lower-case letters, digits and _, the first a letter; not public."
  }
}

variable "serverless_admin" {
  description = "Serverless: its administrator, where that is not to be `database_user`; null for that one."
  type        = string
  default     = null

  validation {
    condition     = var.serverless_admin == null || (can(regex("^[a-z][a-z0-9_]{0,126}$", var.serverless_admin)) && var.serverless_admin != "public")
    error_message = "serverless_admin: lower-case letters, digits and _, the first a letter; not public."
  }
}

variable "subnet_ids" {
  description = "Serverless: subnets in three availability zones; empty for the default VPC's."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.subnet_ids) == 0 || length(distinct(var.subnet_ids)) >= 3
    error_message = "subnet_ids: three or more, each in another availability zone, or none."
  }
}

variable "security_group_ids" {
  description = "Serverless: security groups that let the loader in at port 5439; empty for the VPC's default one."
  type        = list(string)
  default     = []
}

variable "base_capacity" {
  description = "Serverless: capacity in Redshift processing units, which is what its price goes by."
  type        = number
  default     = 8

  validation {
    condition     = var.base_capacity == 4 || contains(range(8, 1025, 8), var.base_capacity)
    error_message = "base_capacity: 4, or a multiple of 8 from 8 to 1024."
  }
}

variable "feeds" {
  description = "Feeds that an alarm watches, by the names that the loader prints."
  type        = set(string)
  default     = ["cti.indicators"]

  validation {
    condition     = alltrue([for feed in var.feeds : can(regex("^[A-Za-z0-9_]+\\.[A-Za-z0-9_]+$", feed))])
    error_message = "feeds: source and table, such as cti.indicators."
  }
}

variable "missing_load_hours" {
  description = "Hours without a loaded record after which a feed's alarm goes off."
  type        = number
  default     = 26

  validation {
    # CloudWatch: an alarm looks back seven days at most.
    condition     = var.missing_load_hours >= 1 && var.missing_load_hours <= 168 && floor(var.missing_load_hours) == var.missing_load_hours
    error_message = "missing_load_hours: a whole number from 1 to 168."
  }
}

variable "alarm_email" {
  description = "Address that alarms are sent to once it confirms; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null || can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.alarm_email))
    error_message = "alarm_email: one address, such as data@example.com."
  }
}

variable "tags" {
  description = "Tags for everything that can have them."
  type        = map(string)
  default     = {}
}
