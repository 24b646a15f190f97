locals {
  # The lines in which `load` and `run` say that records of a feed (%s) were loaded, without and with
  # --json. What replay, validate and history print matches neither. A minus excludes: loads of no record.
  load_patterns = {
    plain = "\"%s: load\" \"records loaded,\" -\", 0 of \""
    json  = "{ ($.feed = \"%s\") && ($.files > 0) && ($.records_loaded > 0) }"
  }

  load_filters = merge([
    for feed in var.feeds : {
      for kind, pattern in local.load_patterns :
      "${feed}-${kind}" => { feed = feed, pattern = format(pattern, feed) }
    }
  ]...)
}

# Where the loader's output has to go for the alarm to know of loads.
resource "aws_cloudwatch_log_group" "loader" {
  name              = "/${var.name}/loader"
  retention_in_days = 30
}

resource "aws_cloudwatch_log_metric_filter" "loads" {
  for_each = local.load_filters

  name           = each.key
  log_group_name = aws_cloudwatch_log_group.loader.name
  pattern        = each.value.pattern

  metric_transformation {
    namespace = var.name
    name      = "${each.value.feed} loads"
    value     = "1"
    unit      = "Count"
  }
}

resource "aws_sns_topic" "alarms" {
  # Not encrypted: CloudWatch may not use the key that SNS has by default, and no data is in an alarm.
  name = "${var.name}-alarms"
}

resource "aws_sns_topic_subscription" "email" {
  count = var.alarm_email == null ? 0 : 1

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

resource "aws_cloudwatch_metric_alarm" "missing_load" {
  for_each = var.feeds

  alarm_name        = "${var.name}: no load of ${each.value}"
  alarm_description = "No record of ${each.value} was loaded for ${var.missing_load_hours} hours. Look into log group ${aws_cloudwatch_log_group.loader.name}, and whether files arrived under s3://${var.bucket}/${var.raw_prefix}."

  namespace           = var.name
  metric_name         = "${each.value} loads"
  statistic           = "Sum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  # Each of so many hours without a load; an hour in which nothing is logged has no data at all.
  period              = 3600
  evaluation_periods  = var.missing_load_hours
  datapoints_to_alarm = var.missing_load_hours
  treat_missing_data  = "breaching"

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}
