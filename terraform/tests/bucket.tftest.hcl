# The bucket: private, encrypted, only by TLS; raw files and rejected records stay, work files and old
# versions go.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  bucket           = "cti-lake"
  work_prefix      = "tmp/"
  work_days        = 3
  old_version_days = 30
}

run "bucket" {
  assert {
    condition     = aws_s3_bucket.raw.bucket == "cti-lake" && aws_s3_bucket.raw.force_destroy == false
    error_message = "The bucket has another name, or is deleted with what is in it."
  }

  assert {
    condition     = aws_s3_bucket_versioning.raw.versioning_configuration[0].status == "Enabled"
    error_message = "Versions are not kept."
  }

  assert {
    condition     = one(flatten([for rule in aws_s3_bucket_server_side_encryption_configuration.raw.rule : rule.apply_server_side_encryption_by_default[*].sse_algorithm])) == "AES256"
    error_message = "Not encrypted with S3's keys."
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.raw.block_public_acls,
      aws_s3_bucket_public_access_block.raw.block_public_policy,
      aws_s3_bucket_public_access_block.raw.ignore_public_acls,
      aws_s3_bucket_public_access_block.raw.restrict_public_buckets,
    ])
    error_message = "The bucket could be made public."
  }

  assert {
    condition = jsondecode(aws_s3_bucket_policy.raw.policy) == {
      Version = "2012-10-17"
      Statement = [{
        Sid       = "OnlyTLS"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = ["arn:aws:s3:::cti-lake", "arn:aws:s3:::cti-lake/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    }
    error_message = "The bucket's policy is not to deny whatever comes without TLS: ${aws_s3_bucket_policy.raw.policy}"
  }

  assert {
    condition = alltrue([
      for bucket in [
        aws_s3_bucket_versioning.raw.bucket,
        aws_s3_bucket_server_side_encryption_configuration.raw.bucket,
        aws_s3_bucket_public_access_block.raw.bucket,
        aws_s3_bucket_policy.raw.bucket,
        aws_s3_bucket_lifecycle_configuration.raw.bucket,
      ] : bucket == aws_s3_bucket.raw.id
    ])
    error_message = "A setting is not this bucket's."
  }
}

# What a rule leaves unsaid, the mocked provider makes up; the tests that apply this look at all of it.
run "lifecycle" {
  assert {
    condition = [
      for rule in aws_s3_bucket_lifecycle_configuration.raw.rule : {
        id      = rule.id
        on      = rule.status == "Enabled"
        current = sum(concat([0], rule.expiration[*].days))
        old     = sum(concat([0], rule.noncurrent_version_expiration[*].noncurrent_days))
        uploads = sum(concat([0], rule.abort_incomplete_multipart_upload[*].days_after_initiation))
      }
      ] == [
      { id = "work-files", on = true, current = 3, old = 1, uploads = 0 },
      { id = "old-versions", on = true, current = 0, old = 30, uploads = 0 },
      { id = "unfinished-uploads", on = true, current = 0, old = 0, uploads = 1 },
    ]
    error_message = "Files are deleted otherwise than the variables say: ${jsonencode(aws_s3_bucket_lifecycle_configuration.raw.rule)}"
  }

  # A rule that deletes current files and is not limited to the work prefix would delete raw files
  # or rejected records.
  assert {
    condition = [
      for rule in aws_s3_bucket_lifecycle_configuration.raw.rule : one(rule.filter[*].prefix)
      if anytrue([for expiration in rule.expiration : expiration.days > 0 || expiration.date != null])
    ] == ["tmp/"]
    error_message = "Other than work files would expire."
  }

  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.raw.rule : one(rule.expiration[*].expired_object_delete_marker)][1] == true
    error_message = "Delete markers without versions stay for ever."
  }
}

run "a_bucket_to_throw_away" {
  variables {
    force_destroy = true
  }

  assert {
    condition     = aws_s3_bucket.raw.force_destroy == true
    error_message = "The bucket is kept though it is not to be."
  }
}
