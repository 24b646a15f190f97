locals {
  account = data.aws_caller_identity.current.account_id

  # Who asks Redshift to use the role: it passes this as external id when it assumes it (Redshift
  # Management Guide, "Restricting access to IAM roles"), so nobody else's warehouse can use ours. For
  # Serverless it has the workgroup's id, which AWS chooses, and which is not known before the role is.
  copying_user = join(":", [
    "arn", data.aws_partition.current.partition, "redshift", data.aws_region.current.name, local.account, "dbuser",
    "${local.serverless ? "serverless-${local.account}-*" : var.existing_cluster}/${var.database_user}",
  ])

  list_raw_and_work = {
    Sid       = "ListRawAndWork"
    Effect    = "Allow"
    Action    = ["s3:ListBucket"]
    Resource  = [local.bucket_arn]
    Condition = { StringLike = { "s3:prefix" = ["${var.raw_prefix}*", "${var.work_prefix}*"] } }
  }

  read_secret = [for arn in local.secrets : {
    Sid      = "ReadPassword"
    Effect   = "Allow"
    Action   = ["secretsmanager:GetSecretValue"]
    Resource = [arn]
  }]
}

# COPY reads raw files, and manifests and rewritten files under the work prefix.
resource "aws_iam_role" "copy" {
  name = "${var.name}-copy"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"] }
      Action    = "sts:AssumeRole"
      Condition = { (local.serverless ? "StringLike" : "StringEquals") = { "sts:ExternalId" = local.copying_user } }
    }]
  })
}

resource "aws_iam_role_policy" "copy" {
  name = "read-raw-and-work"
  role = aws_iam_role.copy.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local.list_raw_and_work,
      {
        Sid      = "ReadRawAndWork"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = [local.raw_arn, local.work_arn]
      },
    ]
  })
}

# What the loader asks of S3, call by call: ListObjectsV2; GetObject and HeadObject of raw files;
# PutObject and DeleteObject of work files, which it never reads back; PutObject of rejected records, which
# is also what an upload in parts needs.
resource "aws_iam_policy" "loader" {
  name        = "${var.name}-loader"
  description = "For the role that the loader runs as: its files in S3."

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local.list_raw_and_work,
      {
        Sid      = "ReadRaw"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = [local.raw_arn]
      },
      {
        Sid      = "WriteWork"
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:DeleteObject"]
        Resource = [local.work_arn]
      },
      {
        Sid      = "WriteRejects"
        Effect   = "Allow"
        Action   = ["s3:PutObject"]
        Resource = [local.rejects_arn]
      },
    ]
  })
}

# Apart from the loader's, since on ECS, in Airflow and with Docker's log driver another role does it.
resource "aws_iam_policy" "runner" {
  name        = "${var.name}-runner"
  description = "For the role that starts the loader: the password, and where its output goes."

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.read_secret, [{
      Sid      = "WriteLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["${aws_cloudwatch_log_group.loader.arn}:*"]
    }])
  })
}
