locals {
  environment = {
    AWS_DEFAULT_REGION      = data.aws_region.current.name
    CTI_TARGET              = "redshift"
    CTI_INDICATORS_LOCATION = "s3://${aws_s3_bucket.raw.bucket}/${var.raw_prefix}indicators/*.csv*"
    CTI_WORK_LOCATION       = "s3://${aws_s3_bucket.raw.bucket}/${var.work_prefix}"
    CTI_REJECTS_LOCATION    = "s3://${aws_s3_bucket.raw.bucket}/${var.rejects_prefix}"
    CTI_COPY_ROLE           = aws_iam_role.copy.arn
    REDSHIFT_HOST           = local.endpoint.host
    REDSHIFT_PORT           = tostring(local.endpoint.port)
    REDSHIFT_DATABASE       = var.database
    REDSHIFT_USER           = var.database_user
    REDSHIFT_SSLMODE        = "verify-full"
  }
}

output "environment" {
  description = "The loader's environment, all but the password, as a map."
  value       = local.environment
}

output "exports" {
  description = "The same as lines for a shell."
  value       = join("\n", [for name, value in local.environment : "export ${name}='${value}'"])
}

output "secret_arn" {
  description = "The secret that holds the password, as JSON with the keys username and password; null if none is known, or `serverless_admin` is another user."
  value       = one(local.secrets)
}

output "loader_policy_arn" {
  description = "Policy to attach to the role that the loader runs as."
  value       = aws_iam_policy.loader.arn
}

output "runner_policy_arn" {
  description = "Policy to attach to the role that starts the loader: it reads the password and writes the log."
  value       = aws_iam_policy.runner.arn
}

output "attach_copy_role" {
  description = "Existing cluster: the command that lets it use the COPY role and leaves its other roles; null with Serverless."
  value       = local.serverless ? null : "aws redshift modify-cluster-iam-roles --cluster-identifier ${var.existing_cluster} --add-iam-roles ${aws_iam_role.copy.arn}"
}

output "log_group" {
  description = "Log group for the loader's output, which the alarm goes by."
  value       = aws_cloudwatch_log_group.loader.name
}

output "alarm_topic_arn" {
  description = "SNS topic of the alarms, for other subscribers than `alarm_email`."
  value       = aws_sns_topic.alarms.arn
}
