# What services of this environment get: var.environment.outputs.LogGroup.
output "LogGroup" {
  value = aws_cloudwatch_log_group.logs.name
}

output "AlarmTopic" {
  value = aws_sns_topic.alarms.arn
}
