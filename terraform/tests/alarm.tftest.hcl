# No load for so long: somebody is told. That the patterns match what the loader prints is tested with
# the loader, in tests/e2e.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  bucket             = "cti-lake"
  feeds              = ["cti.indicators", "shop.orders"]
  missing_load_hours = 50
}

run "alarm" {
  assert {
    condition = { for name, filter in aws_cloudwatch_log_metric_filter.loads : name => filter.pattern } == {
      "cti.indicators-json"  = "{ ($.feed = \"cti.indicators\") && ($.files > 0) && ($.records_loaded > 0) }"
      "cti.indicators-plain" = "\"cti.indicators: load\" \"records loaded,\" -\", 0 of \""
      "shop.orders-json"     = "{ ($.feed = \"shop.orders\") && ($.files > 0) && ($.records_loaded > 0) }"
      "shop.orders-plain"    = "\"shop.orders: load\" \"records loaded,\" -\", 0 of \""
    }
    error_message = "Not both kinds of lines of each feed are counted."
  }

  # An alarm on a metric that no filter writes would always be on.
  assert {
    condition = alltrue(flatten([
      for feed in var.feeds : [
        for kind in ["json", "plain"] : [
          aws_cloudwatch_log_metric_filter.loads["${feed}-${kind}"].log_group_name == output.log_group,
          aws_cloudwatch_log_metric_filter.loads["${feed}-${kind}"].metric_transformation[0].value == "1",
          aws_cloudwatch_log_metric_filter.loads["${feed}-${kind}"].metric_transformation[0].namespace == aws_cloudwatch_metric_alarm.missing_load[feed].namespace,
          aws_cloudwatch_log_metric_filter.loads["${feed}-${kind}"].metric_transformation[0].name == aws_cloudwatch_metric_alarm.missing_load[feed].metric_name,
        ]
      ]
    ]))
    error_message = "The alarm does not watch what the filters count."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.missing_load["cti.indicators"].metric_name != aws_cloudwatch_metric_alarm.missing_load["shop.orders"].metric_name
    error_message = "A load of one feed would hide that another has none."
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.missing_load :
      alarm.statistic == "Sum" && alarm.comparison_operator == "LessThanThreshold" && alarm.threshold == 1
      && alarm.period == 3600 && alarm.evaluation_periods == 50 && alarm.datapoints_to_alarm == 50
      && alarm.treat_missing_data == "breaching"
    ])
    error_message = "The alarm does not go off after as many hours without a load."
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.missing_load :
      alarm.alarm_actions == toset([output.alarm_topic_arn]) && alarm.ok_actions == toset([output.alarm_topic_arn])
    ])
    error_message = "The alarm tells nobody."
  }

  assert {
    condition     = length(aws_sns_topic_subscription.email) == 0
    error_message = "Mail goes to somebody who did not ask."
  }
}

run "mail" {
  variables {
    alarm_email = "data@example.com"
  }

  assert {
    condition = (
      aws_sns_topic_subscription.email[0].endpoint == "data@example.com"
      && aws_sns_topic_subscription.email[0].protocol == "email"
      && aws_sns_topic_subscription.email[0].topic_arn == output.alarm_topic_arn
    )
    error_message = "Mail does not reach the address."
  }
}
