# What AWS would answer, as far as an ARN or an address in it matters.

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

mock_data "aws_partition" {
  defaults = { partition = "aws" }
}

mock_data "aws_region" {
  defaults = { name = "eu-central-1" }
}

mock_data "aws_redshift_cluster" {
  defaults = {
    endpoint = "warehouse-1.abc.eu-central-1.redshift.amazonaws.com"
    port     = 5440
  }
}

mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::123456789012:role/cti-etl-copy" }
}

mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/cti-etl/loader" }
}

mock_resource "aws_sns_topic" {
  defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:cti-etl-alarms" }
}

mock_resource "aws_redshiftserverless_namespace" {
  defaults = { admin_password_secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:redshift!cti-etl-cti_admin-AbCdEf" }
}

mock_resource "aws_redshiftserverless_workgroup" {
  defaults = {
    endpoint = [{
      address      = "cti-etl.123456789012.eu-central-1.redshift-serverless.amazonaws.com"
      port         = 5439
      vpc_endpoint = []
    }]
  }
}
