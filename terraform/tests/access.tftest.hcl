# Who may do what. Policies are compared whole: one more action, resource or principal fails.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  bucket = "cti-lake"
}

run "serverless" {
  assert {
    condition = jsondecode(aws_iam_role_policy.copy.policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "ListRawAndWork"
          Effect    = "Allow"
          Action    = ["s3:ListBucket"]
          Resource  = ["arn:aws:s3:::cti-lake"]
          Condition = { StringLike = { "s3:prefix" = ["raw/*", "work/*"] } }
        },
        {
          Sid      = "ReadRawAndWork"
          Effect   = "Allow"
          Action   = ["s3:GetObject"]
          Resource = ["arn:aws:s3:::cti-lake/raw/*", "arn:aws:s3:::cti-lake/work/*"]
        },
      ]
    }
    error_message = "COPY may do other than list and read raw and work files: ${aws_iam_role_policy.copy.policy}"
  }

  assert {
    condition     = aws_iam_role_policy.copy.role == aws_iam_role.copy.name
    error_message = "The COPY policy is not the COPY role's."
  }

  assert {
    condition = jsondecode(aws_iam_role.copy.assume_role_policy) == {
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Principal = { Service = ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"] }
        Action    = "sts:AssumeRole"
        Condition = {
          StringLike = {
            "sts:ExternalId" = "arn:aws:redshift:eu-central-1:123456789012:dbuser:serverless-123456789012-*/cti_admin"
          }
        }
      }]
    }
    error_message = "Others than the loader's user in our account's Serverless may use the role: ${aws_iam_role.copy.assume_role_policy}"
  }

  assert {
    condition = jsondecode(aws_iam_policy.loader.policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "ListRawAndWork"
          Effect    = "Allow"
          Action    = ["s3:ListBucket"]
          Resource  = ["arn:aws:s3:::cti-lake"]
          Condition = { StringLike = { "s3:prefix" = ["raw/*", "work/*"] } }
        },
        {
          Sid      = "ReadRaw"
          Effect   = "Allow"
          Action   = ["s3:GetObject"]
          Resource = ["arn:aws:s3:::cti-lake/raw/*"]
        },
        {
          Sid      = "WriteWork"
          Effect   = "Allow"
          Action   = ["s3:PutObject", "s3:DeleteObject"]
          Resource = ["arn:aws:s3:::cti-lake/work/*"]
        },
        {
          Sid      = "WriteRejects"
          Effect   = "Allow"
          Action   = ["s3:PutObject"]
          Resource = ["arn:aws:s3:::cti-lake/rejects/*"]
        },
      ]
    }
    error_message = "The loader may do other than it does: ${aws_iam_policy.loader.policy}"
  }

  assert {
    condition = jsondecode(aws_iam_policy.runner.policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid      = "ReadPassword"
          Effect   = "Allow"
          Action   = ["secretsmanager:GetSecretValue"]
          Resource = ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:redshift!cti-etl-cti_admin-AbCdEf"]
        },
        {
          Sid      = "WriteLog"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = ["arn:aws:logs:eu-central-1:123456789012:log-group:/cti-etl/loader:*"]
        },
      ]
    }
    error_message = "The runner may do other than read one secret and write one log: ${aws_iam_policy.runner.policy}"
  }

  # What holds of every policy that gives something, however they come to be written.
  assert {
    condition = alltrue(flatten([
      for policy in [aws_iam_role_policy.copy.policy, aws_iam_policy.loader.policy, aws_iam_policy.runner.policy] : [
        for statement in jsondecode(policy).Statement : [
          statement.Effect == "Allow",
          !can(statement.NotAction), !can(statement.NotResource),
          [for action in statement.Action : !strcontains(action, "*")],
          # A * stands at the end, behind the name of one bucket's prefix or one log group.
          [for resource in statement.Resource : can(regex("^arn:aws:(s3:::cti-lake(/(raw|work|rejects)/[*])?|logs:[^*]*:[*]|secretsmanager:[^*]*)$", resource))],
        ]
      ]
    ]))
    error_message = "A policy has a wildcard action, or a resource that is not ours."
  }

  # Only work files and rejected records are written, and only work files deleted.
  assert {
    condition = alltrue(flatten([
      for policy in [aws_iam_role_policy.copy.policy, aws_iam_policy.loader.policy, aws_iam_policy.runner.policy] : [
        for statement in jsondecode(policy).Statement : [
          for action in statement.Action : contains([
            ["s3:PutObject", "arn:aws:s3:::cti-lake/work/*"],
            ["s3:PutObject", "arn:aws:s3:::cti-lake/rejects/*"],
            ["s3:DeleteObject", "arn:aws:s3:::cti-lake/work/*"],
          ], concat([action], statement.Resource))
          if startswith(action, "s3:") && !contains(["s3:ListBucket", "s3:GetObject"], action)
        ]
      ]
    ]))
    error_message = "Something other than work files and rejected records may be changed."
  }
}

run "other_prefixes" {
  variables {
    raw_prefix     = "feeds/cti/"
    work_prefix    = "tmp/"
    rejects_prefix = "refused/"
  }

  assert {
    condition = alltrue(flatten([
      for policy in [aws_iam_role_policy.copy.policy, aws_iam_policy.loader.policy] : [
        jsondecode(policy).Statement[0].Condition.StringLike["s3:prefix"] == ["feeds/cti/*", "tmp/*"],
        setsubtract(flatten(jsondecode(policy).Statement[*].Resource), ["arn:aws:s3:::cti-lake/refused/*"]) == toset([
          "arn:aws:s3:::cti-lake", "arn:aws:s3:::cti-lake/feeds/cti/*", "arn:aws:s3:::cti-lake/tmp/*",
        ]),
      ]
    ])) && jsondecode(aws_iam_policy.loader.policy).Statement[3].Resource == ["arn:aws:s3:::cti-lake/refused/*"]
    error_message = "The policies do not follow the prefixes."
  }
}

# The administrator's password is not the loader's to read.
run "serverless_with_another_administrator" {
  variables {
    database_user    = "loader"
    serverless_admin = "cti_admin"
  }

  assert {
    condition     = endswith(jsondecode(aws_iam_role.copy.assume_role_policy).Statement[0].Condition.StringLike["sts:ExternalId"], "-*/loader")
    error_message = "Another user than the loader's may use the role: ${aws_iam_role.copy.assume_role_policy}"
  }

  assert {
    condition     = jsondecode(aws_iam_policy.runner.policy).Statement[*].Sid == ["WriteLog"]
    error_message = "The runner may read the administrator's password: ${aws_iam_policy.runner.policy}"
  }
}

run "existing_cluster" {
  variables {
    existing_cluster        = "warehouse-1"
    existing_cluster_secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:loader-AbCdEf"
    database_user           = "loader"
  }

  assert {
    condition = jsondecode(aws_iam_role.copy.assume_role_policy).Statement[0].Condition == {
      StringEquals = {
        "sts:ExternalId" = "arn:aws:redshift:eu-central-1:123456789012:dbuser:warehouse-1/loader"
      }
    }
    error_message = "Others than the loader's user of the cluster may use the role: ${aws_iam_role.copy.assume_role_policy}"
  }

  assert {
    condition = jsondecode(aws_iam_policy.runner.policy).Statement[0] == {
      Sid      = "ReadPassword"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:loader-AbCdEf"]
    }
    error_message = "The runner does not read the cluster's secret: ${aws_iam_policy.runner.policy}"
  }
}

run "existing_cluster_without_secret" {
  variables {
    existing_cluster = "warehouse-1"
  }

  assert {
    condition     = jsondecode(aws_iam_policy.runner.policy).Statement[*].Sid == ["WriteLog"]
    error_message = "The runner may read a secret that nobody named: ${aws_iam_policy.runner.policy}"
  }
}
