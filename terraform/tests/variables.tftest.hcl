# What each variable refuses, before anything is made. A variable in expect_failures that is accepted
# fails the run.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  bucket = "cti-lake"
}

run "bad_values" {
  command = plan

  variables {
    bucket             = "Cti_Lake"
    name               = "9lives"
    raw_prefix         = "raw"
    work_days          = 1
    old_version_days   = 0
    existing_cluster   = "warehouse-1.abc.eu-central-1.redshift.amazonaws.com"
    database           = "my-db"
    database_user      = "o'brien"
    subnet_ids         = ["subnet-1", "subnet-2"]
    base_capacity      = 12
    feeds              = ["indicators"]
    missing_load_hours = 0
    alarm_email        = "example.com"
  }

  expect_failures = [
    var.bucket,
    var.name,
    var.raw_prefix,
    var.work_days,
    var.old_version_days,
    var.existing_cluster,
    var.database,
    var.database_user,
    var.subnet_ids,
    var.base_capacity,
    var.feeds,
    var.missing_load_hours,
    var.alarm_email,
  ]
}

# Looked at only where the variable that they look at too is good.
run "bad_values_beside_good_ones" {
  command = plan

  variables {
    work_prefix             = "/work/"
    serverless_admin        = "public"
    existing_cluster        = "warehouse-1"
    existing_cluster_secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:*"
  }

  expect_failures = [
    var.work_prefix,
    var.serverless_admin,
    var.existing_cluster_secret,
  ]
}

# existing_cluster_secret: there is no existing_cluster.
run "other_bad_values" {
  command = plan

  variables {
    bucket                  = "cti.lake"
    raw_prefix              = ""
    work_days               = 2.5
    old_version_days        = 1.5
    existing_cluster_secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:loader-AbCdEf"
    database_user           = "public"
    subnet_ids              = ["subnet-1", "subnet-2", "subnet-2"]
    base_capacity           = 1032
    missing_load_hours      = 169
  }

  expect_failures = [
    var.bucket,
    var.raw_prefix,
    var.work_days,
    var.old_version_days,
    var.existing_cluster_secret,
    var.database_user,
    var.subnet_ids,
    var.base_capacity,
    var.missing_load_hours,
  ]
}

run "hours_in_parts" {
  command = plan

  variables {
    missing_load_hours = 1.5
  }

  expect_failures = [var.missing_load_hours]
}

run "work_is_raw" {
  command = plan

  variables {
    work_prefix = "raw/"
  }

  expect_failures = [var.work_prefix]
}

run "work_in_raw" {
  command = plan

  variables {
    work_prefix = "raw/work/"
  }

  expect_failures = [var.work_prefix]
}

run "raw_in_work" {
  command = plan

  variables {
    raw_prefix = "work/raw/"
  }

  expect_failures = [var.work_prefix]
}

run "rejects_without_a_slash" {
  command = plan

  variables {
    rejects_prefix = "rejects"
  }

  expect_failures = [var.rejects_prefix]
}

run "rejects_in_raw" {
  command = plan

  variables {
    rejects_prefix = "raw/rejects/"
  }

  expect_failures = [var.rejects_prefix]
}

run "rejects_in_work" {
  command = plan

  variables {
    rejects_prefix = "work/rejects/"
  }

  expect_failures = [var.rejects_prefix]
}

run "work_in_rejects" {
  command = plan

  variables {
    work_prefix = "rejects/work/"
  }

  expect_failures = [var.rejects_prefix]
}

# The bounds themselves are taken.
run "bounds" {
  command = plan

  variables {
    bucket             = "a-9"
    work_days          = 2
    old_version_days   = 1
    base_capacity      = 4
    missing_load_hours = 168
    feeds              = []
    subnet_ids         = ["subnet-1", "subnet-2", "subnet-3"]
  }
}
