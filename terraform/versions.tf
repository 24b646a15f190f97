terraform {
  # Validations that look at a second variable came with 1.9.
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # Tested with 5.100.0 only.
      version = "~> 5.100"
    }
  }
}

# Region and credentials: the environment's, such as AWS_DEFAULT_REGION and AWS_PROFILE.
provider "aws" {
  default_tags {
    tags = var.tags
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}
