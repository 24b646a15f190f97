locals {
  serverless = var.existing_cluster == null
  admin      = coalesce(var.serverless_admin, var.database_user)

  # Where the loader's password is. Nobody but Redshift and Secrets Manager ever sees it: it is in no
  # plan and in no state. An administrator's who is not the loader is none of its business.
  secrets = local.serverless ? [
    for namespace in aws_redshiftserverless_namespace.warehouse :
    namespace.admin_password_secret_arn if local.admin == var.database_user
  ] : compact([var.existing_cluster_secret])

  endpoint = one(local.serverless ? [
    for workgroup in aws_redshiftserverless_workgroup.warehouse :
    { host = workgroup.endpoint[0].address, port = workgroup.endpoint[0].port }
    ] : [
    for cluster in data.aws_redshift_cluster.existing :
    { host = cluster.endpoint, port = cluster.port }
  ])
}

resource "aws_redshiftserverless_namespace" "warehouse" {
  count = local.serverless ? 1 : 0

  namespace_name = var.name
  db_name        = var.database
  admin_username = local.admin
  # Redshift makes the password, keeps it in Secrets Manager and changes it every 30 days.
  manage_admin_password = true
  iam_roles             = [aws_iam_role.copy.arn]
}

resource "aws_redshiftserverless_workgroup" "warehouse" {
  count = local.serverless ? 1 : 0

  namespace_name      = aws_redshiftserverless_namespace.warehouse[0].namespace_name
  workgroup_name      = var.name
  base_capacity       = var.base_capacity
  publicly_accessible = false
  # Null, not empty: AWS then chooses, and the next plan does not want it otherwise.
  subnet_ids         = length(var.subnet_ids) > 0 ? var.subnet_ids : null
  security_group_ids = length(var.security_group_ids) > 0 ? var.security_group_ids : null
}

# Only read. Terraform's resource for a cluster's roles manages all of them: it would take away those
# that others attached. So attaching ours is a command for a person: output attach_copy_role.
data "aws_redshift_cluster" "existing" {
  count = local.serverless ? 0 : 1

  cluster_identifier = var.existing_cluster
}
