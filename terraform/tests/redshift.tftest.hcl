# The warehouse, and what the loader is told of it.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  bucket = "cti-lake"
}

run "serverless" {
  assert {
    condition = (
      aws_redshiftserverless_namespace.warehouse[0].manage_admin_password == true
      && aws_redshiftserverless_namespace.warehouse[0].admin_user_password == null
      && aws_redshiftserverless_namespace.warehouse[0].admin_user_password_wo == null
    )
    error_message = "The password comes from Terraform."
  }

  assert {
    condition     = aws_redshiftserverless_namespace.warehouse[0].iam_roles == toset([aws_iam_role.copy.arn])
    error_message = "The COPY role is not the warehouse's."
  }

  assert {
    condition     = aws_redshiftserverless_workgroup.warehouse[0].publicly_accessible == false
    error_message = "The warehouse can be reached from the internet."
  }

  # The trust of the COPY role has this name in it.
  assert {
    condition     = strcontains(aws_iam_role.copy.assume_role_policy, "-*/${aws_redshiftserverless_namespace.warehouse[0].admin_username}\"")
    error_message = "The role trusts another user than there is."
  }

  assert {
    condition     = length(data.aws_redshift_cluster.existing) == 0
    error_message = "A cluster is looked for though there is none."
  }

  assert {
    condition = output.environment == {
      AWS_DEFAULT_REGION      = "eu-central-1"
      CTI_TARGET              = "redshift"
      CTI_INDICATORS_LOCATION = "s3://cti-lake/raw/indicators/*.csv*"
      CTI_WORK_LOCATION       = "s3://cti-lake/work/"
      CTI_REJECTS_LOCATION    = "s3://cti-lake/rejects/"
      CTI_COPY_ROLE           = "arn:aws:iam::123456789012:role/cti-etl-copy"
      REDSHIFT_HOST           = "cti-etl.123456789012.eu-central-1.redshift-serverless.amazonaws.com"
      REDSHIFT_PORT           = "5439"
      REDSHIFT_DATABASE       = "dev"
      REDSHIFT_USER           = "cti_admin"
      REDSHIFT_SSLMODE        = "verify-full"
    }
    error_message = "The environment is another: ${jsonencode(output.environment)}"
  }

  assert {
    condition     = output.secret_arn == "arn:aws:secretsmanager:eu-central-1:123456789012:secret:redshift!cti-etl-cti_admin-AbCdEf"
    error_message = "The secret is not the one that Redshift made."
  }

  assert {
    condition     = output.attach_copy_role == null
    error_message = "There is no cluster to attach a role to."
  }
}

run "serverless_in_a_network_of_ones_own" {
  variables {
    name               = "lake"
    database           = "cti"
    database_user      = "loader"
    base_capacity      = 16
    subnet_ids         = ["subnet-1", "subnet-2", "subnet-3"]
    security_group_ids = ["sg-1"]
  }

  assert {
    condition = (
      aws_redshiftserverless_namespace.warehouse[0].db_name == "cti"
      && aws_redshiftserverless_namespace.warehouse[0].admin_username == "loader"
      && aws_redshiftserverless_workgroup.warehouse[0].base_capacity == 16
      && aws_redshiftserverless_workgroup.warehouse[0].subnet_ids == toset(["subnet-1", "subnet-2", "subnet-3"])
      && aws_redshiftserverless_workgroup.warehouse[0].security_group_ids == toset(["sg-1"])
    )
    error_message = "The warehouse is not as the variables say."
  }

  assert {
    condition     = output.environment.REDSHIFT_DATABASE == "cti" && output.environment.REDSHIFT_USER == "loader"
    error_message = "The loader would look for another database or user."
  }
}

run "serverless_with_another_administrator" {
  variables {
    database_user    = "loader"
    serverless_admin = "cti_admin"
  }

  assert {
    condition     = aws_redshiftserverless_namespace.warehouse[0].admin_username == "cti_admin" && output.environment.REDSHIFT_USER == "loader"
    error_message = "The loader is the administrator, or would log in as the administrator."
  }

  assert {
    condition     = output.secret_arn == null
    error_message = "The administrator's password is given out as the loader's."
  }
}

run "existing_cluster" {
  variables {
    existing_cluster        = "warehouse-1"
    existing_cluster_secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:loader-AbCdEf"
    database                = "analytics"
    database_user           = "loader"
  }

  assert {
    condition     = length(aws_redshiftserverless_namespace.warehouse) + length(aws_redshiftserverless_workgroup.warehouse) == 0
    error_message = "Serverless is made beside the cluster, and paid for."
  }

  assert {
    condition = output.environment == {
      AWS_DEFAULT_REGION      = "eu-central-1"
      CTI_TARGET              = "redshift"
      CTI_INDICATORS_LOCATION = "s3://cti-lake/raw/indicators/*.csv*"
      CTI_WORK_LOCATION       = "s3://cti-lake/work/"
      CTI_REJECTS_LOCATION    = "s3://cti-lake/rejects/"
      CTI_COPY_ROLE           = "arn:aws:iam::123456789012:role/cti-etl-copy"
      REDSHIFT_HOST           = "warehouse-1.abc.eu-central-1.redshift.amazonaws.com"
      REDSHIFT_PORT           = "5440"
      REDSHIFT_DATABASE       = "analytics"
      REDSHIFT_USER           = "loader"
      REDSHIFT_SSLMODE        = "verify-full"
    }
    error_message = "The environment is another: ${jsonencode(output.environment)}"
  }

  assert {
    condition     = output.secret_arn == "arn:aws:secretsmanager:eu-central-1:123456789012:secret:loader-AbCdEf"
    error_message = "The secret is not the one that was named."
  }

  assert {
    condition     = output.attach_copy_role == "aws redshift modify-cluster-iam-roles --cluster-identifier warehouse-1 --add-iam-roles arn:aws:iam::123456789012:role/cti-etl-copy"
    error_message = "The command attaches something else: ${output.attach_copy_role}"
  }
}

run "existing_cluster_without_secret" {
  variables {
    existing_cluster = "warehouse-1"
  }

  assert {
    condition     = output.secret_arn == null
    error_message = "A secret is named that nobody knows."
  }
}
