# Inputs are in var.service_instance.inputs, what the environment has made in
# var.environment.outputs. The variables are declared in a file that is generated
# beside this one, and so is var.proton_tags.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

provider "aws" {
  default_tags {
    tags = var.proton_tags
  }
}

resource "aws_sqs_queue" "this" {
  name                       = var.service_instance.name
  visibility_timeout_seconds = var.service_instance.inputs.visibility_timeout_seconds
}

resource "aws_cloudwatch_metric_alarm" "too_many_messages" {
  alarm_name          = "${var.service_instance.name}-too-many-messages"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.this.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.service_instance.inputs.alarm_at_messages
  alarm_actions       = [var.environment.outputs.AlarmTopic]
}

output "QueueUrl" {
  value = aws_sqs_queue.this.url
}
