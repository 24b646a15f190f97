locals {
  # Known before the bucket exists, so that a plan shows whole policies.
  bucket_arn  = "arn:${data.aws_partition.current.partition}:s3:::${var.bucket}"
  raw_arn     = "${local.bucket_arn}/${var.raw_prefix}*"
  work_arn    = "${local.bucket_arn}/${var.work_prefix}*"
  rejects_arn = "${local.bucket_arn}/${var.rejects_prefix}*"
}

resource "aws_s3_bucket" "raw" {
  bucket        = var.bucket
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_versioning" "raw" {
  bucket = aws_s3_bucket.raw.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "raw" {
  bucket = aws_s3_bucket.raw.id

  rule {
    apply_server_side_encryption_by_default {
      # With S3's own keys an ETag is the MD5 of the bytes, against which the loader holds them.
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "raw" {
  bucket                  = aws_s3_bucket.raw.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "raw" {
  bucket = aws_s3_bucket.raw.id
  # S3 does not take both at once.
  depends_on = [aws_s3_bucket_public_access_block.raw]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyTLS"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_s3_bucket_lifecycle_configuration" "raw" {
  bucket = aws_s3_bucket.raw.id
  # Rules for old versions need versions.
  depends_on = [aws_s3_bucket_versioning.raw]

  rule {
    id     = "work-files"
    status = "Enabled"

    filter {
      prefix = var.work_prefix
    }

    expiration {
      days = var.work_days
    }

    # The loader deletes them itself; that leaves an old version.
    noncurrent_version_expiration {
      noncurrent_days = 1
    }
  }

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.old_version_days
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}
